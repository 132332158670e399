"""Whose requests are answered: by host, by origin, and by token."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from serving.guarded import answers, call, chunks
from starlette.testclient import TestClient

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
