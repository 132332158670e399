from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import anyio
import pytest
from serving.guarded import answers, call, chunks
from starlette.testclient import TestClient
from starlette.types import Message, Receive, Scope, Send

from contrawarp_edge.server.settings import Access, Limits
from contrawarp_edge.server.transport.guard import Guard

MakeClient = Callable[..., TestClient]


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
