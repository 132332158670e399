from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import pytest
from starlette.testclient import TestClient
from starlette.types import Message, Receive, Scope, Send

from contrawarp_edge.server.settings import Access, Limits, is_loopback
from contrawarp_edge.server.transport.guard import Guard

TOKEN = "a-token-that-is-long-enough"
MakeClient = Callable[..., TestClient]


@pytest.mark.parametrize(
    ("host", "known"),
    [
        ("127.0.0.1:8000", True),
        ("localhost", True),
        ("LOCALHOST:1234", True),
        ("[::1]:8000", True),
        ("192.168.1.7:8000", True),
        ("evil.example", False),
        ("evil.example:8000", False),
        ("127.0.0.1.evil.example", False),
        ("localhost.evil.example", False),
        ("evil.example@127.0.0.1", True),  # of a name before @ nobody can make use
        ("[::1", False),
        ("", False),
    ],
)
def test_host(client: TestClient, host: str, known: bool) -> None:
    for path in ("/", "/api/stats", "/api/health", "/openapi.json"):
        answer = client.get(path, headers={"host": host})
        assert answer.status_code == (200 if known else 421)
        if not known:
            assert "--allowed-host" in answer.json()["error"]


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"origin": "http://127.0.0.1:8000"}, 200),
        ({"origin": "http://127.0.0.1:9000"}, 403),
        ({"origin": "https://evil.example"}, 403),
        ({"origin": "null"}, 403),
        ({"sec-fetch-site": "same-origin"}, 200),
        ({"sec-fetch-site": "none"}, 200),
        ({"sec-fetch-site": "cross-site"}, 403),
        ({"sec-fetch-site": "same-site"}, 403),
    ],
)
def test_other_origins(
    client: TestClient, headers: dict[str, str], status: int
) -> None:
    answer = client.post("/api/search", json={"like": [{"id": 1}]}, headers=headers)
    assert answer.status_code == status
    assert "access-control-allow-origin" not in answer.headers


@pytest.mark.parametrize(
    ("host", "origin", "known"),
    [
        # As browsers reach it without a proxy.
        ("127.0.0.1:8000", "http://127.0.0.1:8000", True),
        ("localhost:8000", "http://localhost:8000", True),
        ("[::1]:8000", "http://[::1]:8000", True),
        ("192.168.1.7", "http://192.168.1.7", True),
        ("192.168.1.7:80", "http://192.168.1.7", True),
        ("LOCALHOST:8000", "http://localhost:8000", True),
        # Others that serve on the same machine, and one that only seems to.
        ("127.0.0.1:8000", "http://127.0.0.1:9000", False),
        ("127.0.0.1:8000", "http://127.0.0.1", False),
        ("127.0.0.1", "http://127.0.0.1:8000", False),
        ("127.0.0.1:8000", "http://localhost:8000", False),
        ("[::1]:8000", "http://[::1]:9000", False),
        ("127.0.0.1:8000", "http://127.0.0.1:8000.evil.example", False),
        # A proxy that passes on the host, the host with the port, or neither.
        ("faces.example.org", "https://faces.example.org", True),
        ("faces.example.org:443", "https://faces.example.org", True),
        ("faces.example.org", "https://faces.example.org:8443", True),
        ("faces.example.org:8443", "https://faces.example.org:8443", True),
        ("127.0.0.1:8000", "https://faces.example.org", True),
        ("127.0.0.1:8000", "https://faces.example.org:8443", True),
        ("localhost:8000", "http://faces.example.org", True),
        ("127.0.0.1:8000", "https://FACES.example.org", True),
        # A proxy whose name was not given.
        ("127.0.0.1:8000", "https://other.example.org", False),
        ("192.168.1.7", "https://192.168.1.7", True),
        ("192.168.1.7:443", "https://192.168.1.7", True),
        # Pages that would like to be taken for it.
        ("faces.example.org", "https://evil.example", False),
        ("faces.example.org", "https://faces.example.org.evil.example", False),
        ("faces.example.org", "https://evil-faces.example.org", False),
        ("faces.example.org", "https://sub.faces.example.org", False),
        ("faces.example.org", "https://faces.example.org@evil.example", False),
        ("faces.example.org", "https://evil.example/faces.example.org", False),
        ("faces.example.org", "https://evil.example?https://faces.example.org", False),
        ("faces.example.org", "https://evil.example#faces.example.org", False),
        ("faces.example.org", "https://evil.example\\@faces.example.org", False),
        ("faces.example.org", "ftp://faces.example.org", False),
        ("faces.example.org", "chrome-extension://faces.example.org", False),
        ("faces.example.org", "faces.example.org", False),
        ("faces.example.org", "https://", False),
        ("faces.example.org", "null", False),
        ("faces.example.org", "", False),
        ("127.0.0.1:8000", "http://127.0.0.1:x", False),
        ("127.0.0.1:x", "http://127.0.0.1:x", False),
        ("127.0.0.1:8000", "http://[", False),
        ("127.0.0.1:8000", "http://127.0.0.1:99999", False),
    ],
)
def test_origins(host: str, origin: str, known: bool) -> None:
    access = Access(hosts=frozenset({"faces.example.org"}))
    guard = Guard(answers, access, Limits())
    headers = {"host": host, "origin": origin}
    status, answer = call(guard, chunks(1), headers)
    assert (status, answer if known else list(answer)) == (
        (200, 1) if known else (403, ["error"])
    )
    if not known:
        assert "--allowed-host" in answer["error"]


def test_other_pages_of_a_known_host(client: TestClient) -> None:
    """Browsers tell by Sec-Fetch-Site if another port of a host is asking."""
    access = Access(hosts=frozenset({"faces.example.org"}))
    guard = Guard(answers, access, Limits())
    headers = {"host": "faces.example.org", "origin": "https://faces.example.org:8443"}
    for site, status in (("same-origin", 200), ("same-site", 403)):
        named = {**headers, "sec-fetch-site": site}
        assert call(guard, chunks(1), named)[0] == status


def test_proxied_rebinding() -> None:
    """A name that was not given stays unknown, whatever the origin says."""
    access = Access(hosts=frozenset({"faces.example.org"}))
    guard = Guard(answers, access, Limits())
    for origin in ("https://faces.example.org", "http://evil.example"):
        headers = {"host": "evil.example", "origin": origin}
        assert call(guard, chunks(1), headers)[0] == 421


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/app.js",
        "/openapi.json",
        "/api/health",
        "/api/stats",
        "/api/images/1",
        "/api/images/1/thumbnail",
        "/api/images/1/picture",
        "/api/images/99",
        "/api/embed",
        "/nothing",
    ],
)
def test_head(client: TestClient, path: str) -> None:
    """The answer to HEAD is that to GET, without its body."""
    whole, head = client.get(path), client.head(path)
    assert head.status_code == whole.status_code
    assert head.headers == whole.headers
    assert head.content == b""
    assert len(whole.content) == int(head.headers["content-length"])


def test_head_needs_the_token(make_client: MakeClient) -> None:
    client = make_client(token=TOKEN)
    assert client.head("/api/stats").status_code == 401
    assert client.head("/api/stats", headers={"host": "evil"}).status_code == 421
    assert client.head("/api/health").status_code == 200


def test_no_cors(client: TestClient) -> None:
    headers = {"access-control-request-method": "POST"}
    answer = client.options("/api/search", headers=headers)
    assert answer.status_code == 405
    assert not [n for n in answer.headers if n.startswith("access-control-")]


@pytest.mark.parametrize(
    "value",
    [None, "", "Bearer", "Bearer wrong", f"Basic {TOKEN}", TOKEN, f"Bearer {TOKEN}x"],
)
def test_token_is_needed(make_client: MakeClient, value: str | None) -> None:
    client = make_client(token=TOKEN)
    headers = {} if value is None else {"authorization": value}
    for method, path in [
        ("GET", "/api/stats"),
        ("POST", "/api/embed"),
        ("POST", "/api/search"),
        ("GET", "/api/images/1"),
        ("GET", "/api/images/1/thumbnail"),
        ("DELETE", "/api/images/1"),
        ("GET", "/api/nothing"),
    ]:
        answer = client.request(method, path, headers=headers)
        assert answer.status_code == 401
        assert "token" in answer.json()["error"]
    for path in ("/", "/app.js", "/api/health", "/openapi.json"):
        assert client.get(path, headers=headers).status_code == 200


def test_token_lets_in(make_client: MakeClient) -> None:
    client = make_client(token=TOKEN)
    for kind in ("Bearer", "bearer"):
        headers = {"authorization": f"{kind} {TOKEN}"}
        assert client.get("/api/stats", headers=headers).status_code == 200


def test_security_headers(client: TestClient) -> None:
    for path in ("/", "/api/stats", "/nothing"):
        headers = client.get(path).headers
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["x-frame-options"] == "DENY"
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    "path",
    [
        "/../../etc/passwd",
        "/..%2f..%2fetc%2fpasswd",
        "/%2e%2e/%2e%2e/etc/passwd",
        "/app.js/../../../cli.py",
        "/backend.js%00.css",
        "/api/images/..%2f..%2fetc%2fpasswd/thumbnail",
        "/api/images/1/..%2fthumbnail",
        "//etc/passwd",
    ],
)
def test_no_path_reaches_the_file_system(client: TestClient, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code in (404, 422)
    assert list(answer.json()) == ["error"]
    assert "root:" not in answer.text


def test_too_large_by_its_header(make_client: MakeClient) -> None:
    client = make_client(upload_bytes=1 << 20)
    answer = client.post("/api/embed", content=b"x" * ((1 << 20) + 1))
    assert answer.status_code == 413
    assert answer.json()["error"].endswith("larger than the 1 MB allowed")
    assert answer.headers["connection"] == "close"


def test_websockets_are_closed(client: TestClient) -> None:
    from starlette.websockets import WebSocketDisconnect

    with (
        pytest.raises(WebSocketDisconnect),
        client.websocket_connect("/api/stats"),
    ):
        pass


async def answers(scope: Scope, receive: Receive, send: Send) -> None:
    """An application that says how long the body was."""
    message = await receive()
    await send({"type": "http.response.start", "status": 200, "headers": []})
    size = len(message["body"])
    await send({"type": "http.response.body", "body": json.dumps(size).encode()})


def call(
    guard: Guard, receive: Receive, headers: dict[str, str] | None = None
) -> tuple[int | None, Any]:
    """Sends one request as a server would; returns status and JSON."""
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    names = {"host": "localhost", **(headers or {})}
    scope = {
        "type": "http",
        "method": "POST",
        "path": "/api/embed",
        "headers": [(k.encode(), v.encode()) for k, v in names.items()],
    }
    anyio.run(guard, scope, receive, send)
    if not sent:
        return None, None
    body = b"".join(message.get("body", b"") for message in sent[1:])
    return sent[0]["status"], json.loads(body)


def chunks(*sizes: int, pause: float = 0) -> Receive:
    left = list(sizes)

    async def receive() -> Message:
        await anyio.sleep(pause)
        size = left.pop(0)
        return {"type": "http.request", "body": b"x" * size, "more_body": bool(left)}

    return receive


def test_chunks_are_counted() -> None:
    guard = Guard(answers, Access(), Limits(upload_bytes=100))
    assert call(guard, chunks(50, 50)) == (200, 100)
    for headers in ({}, {"content-length": "3"}, {"content-length": "-1"}):
        status, answer = call(guard, chunks(50, 50, 1, 10**6), headers)
        assert status == 413
        assert "larger" in answer["error"]


def test_slow_upload() -> None:
    guard = Guard(answers, Access(), Limits(seconds=0.2))
    status, answer = call(guard, chunks(*[1] * 100, pause=0.05))
    assert status == 408
    assert answer["error"] == "the upload took longer than 0.2 s"
    assert call(guard, chunks(1)) == (200, 1)


def test_slow_answer() -> None:
    async def slow(scope: Scope, receive: Receive, send: Send) -> None:
        await anyio.sleep(5)

    status, answer = call(Guard(slow, Access(), Limits(seconds=0.1)), chunks(1))
    assert status == 503
    assert "no answer within 0.1 s" in answer["error"]


def test_client_that_leaves() -> None:
    async def receive() -> Message:
        return {"type": "http.disconnect"}

    assert call(Guard(answers, Access(), Limits()), receive) == (None, None)


def test_too_many_requests() -> None:
    inside = 0
    most = 0

    async def works(scope: Scope, receive: Receive, send: Send) -> None:
        nonlocal inside, most
        inside += 1
        most = max(most, inside)
        await anyio.sleep(0.2)
        inside -= 1
        await answers(scope, receive, send)

    guard = Guard(works, Access(), Limits(requests=3))
    statuses: list[int] = []

    async def one() -> None:
        async def send(message: Message) -> None:
            if message["type"] == "http.response.start":
                statuses.append(message["status"])

        scope = {
            "type": "http",
            "method": "GET",
            "path": "/",
            "headers": [(b"host", b"localhost")],
        }
        await guard(scope, chunks(1), send)

    async def together() -> None:
        async with anyio.create_task_group() as group:
            for _ in range(10):
                group.start_soon(one)

    anyio.run(together)
    assert sorted(statuses) == [200] * 3 + [503] * 7
    assert most == 3
    anyio.run(together)  # nothing is left counted


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("127.0.0.1", True),
        ("127.1.2.3", True),
        ("::1", True),
        ("localhost", True),
        ("0.0.0.0", False),
        ("::", False),
        ("192.168.1.7", False),
        ("example.org", False),
        ("", False),
    ],
)
def test_loopback(host: str, expected: bool) -> None:
    assert is_loopback(host) is expected


def test_gallery_is_not_touched_when_readonly(
    make_client: MakeClient, gallery_path: Path
) -> None:
    client = make_client()
    before = gallery_path.read_bytes()
    client.post("/api/search", json={"like": [{"id": 1}]})
    assert client.delete("/api/images/1").status_code == 403
    answer = client.post("/api/images", files={"image": ("a.png", b"x")})
    assert answer.status_code == 403
    assert "--allow-add" in answer.json()["error"]
    assert gallery_path.read_bytes() == before
