"""Requests that arrive slowly, or never: they keep nobody else waiting."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable, Iterator

import anyio
import pytest

pytest.importorskip("fastapi", reason="needs contrawarp-edge[serve]")
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from contrawarp_edge.server.run import listen, make_server
from contrawarp_edge.server.settings import Access, Limits
from contrawarp_edge.server.transport.connections import PromptProtocol
from contrawarp_edge.server.transport.guard import Guard

GET = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n"
Start = Callable[..., int]


async def says_ok(scope: Scope, receive: Receive, send: Send) -> None:
    headers = [(b"content-length", b"2")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b"ok"})


def scope(method: str = "POST") -> Scope:
    headers = [(b"host", b"localhost")]
    return {"type": "http", "method": method, "path": "/", "headers": headers}


class Client:
    """Sends one request to a guard in chunks, one for every number put in."""

    def __init__(self) -> None:
        self.status: int | None = None
        self._sizes, self._source = anyio.create_memory_object_stream[int](99)

    async def ask(self, guard: Guard) -> None:
        await guard(scope(), self._receive, self._send)

    async def put(self, size: int) -> None:
        await self._sizes.send(size)
        await anyio.wait_all_tasks_blocked()

    async def _receive(self) -> Message:
        size = await self._source.receive()
        return {"type": "http.request", "body": b"x" * size, "more_body": size > 0}

    async def _send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]


def test_slow_uploads_take_no_place() -> None:
    async def run() -> None:
        guard = Guard(says_ok, Access(), Limits(requests=3, upload_bytes=100))
        slow = [Client() for _ in range(6)]
        quick = Client()
        async with anyio.create_task_group() as group:
            for client in slow:
                group.start_soon(client.ask, guard)
                await client.put(10)
            group.start_soon(quick.ask, guard)
            await quick.put(0)
            assert quick.status == 200
            for client in slow:
                assert client.status is None
                await client.put(0)
                assert client.status == 200

    anyio.run(run)


def test_oldest_upload_makes_room() -> None:
    async def run() -> None:
        guard = Guard(says_ok, Access(), Limits(requests=3, upload_bytes=100))
        clients = [Client() for _ in range(5)]
        async with anyio.create_task_group() as group:
            for client in clients:
                group.start_soon(client.ask, guard)
            for client in clients[:3]:
                await client.put(100)
            assert [c.status for c in clients] == [None] * 5
            await clients[3].put(60)  # the first has 100 of the 300 bytes there are
            assert [c.status for c in clients] == [503] + [None] * 4
            await clients[4].put(40)
            assert [c.status for c in clients] == [503] + [None] * 4
            for client in clients[1:]:
                await client.put(0)
            assert [c.status for c in clients] == [503] + [200] * 4

    anyio.run(run)


def test_bodies_being_worked_with_count() -> None:
    ends = anyio.Event()

    async def works(scope: Scope, receive: Receive, send: Send) -> None:
        await ends.wait()
        await says_ok(scope, receive, send)

    async def run() -> None:
        guard = Guard(works, Access(), Limits(requests=1, upload_bytes=100))
        first, second, third = Client(), Client(), Client()
        async with anyio.create_task_group() as group:
            for client in (first, second, third):
                group.start_soon(client.ask, guard)
            await first.put(60)
            await first.put(0)
            await second.put(50)
            assert (first.status, second.status) == (None, 503)
            await third.put(40)
            assert third.status is None
            ends.set()
            await anyio.wait_all_tasks_blocked()
            assert first.status == 200
            await third.put(60)
            await third.put(0)
            assert third.status == 200

    anyio.run(run)


@pytest.fixture
def start() -> Iterator[Start]:
    """Runs the real server around an application that says ok; returns its port."""
    running = []

    def start(requests: int = 32, seconds: float = 30.0) -> int:
        limits = Limits(requests=requests, seconds=seconds)
        ready = threading.Event()
        guard = Guard(says_ok, Access(), limits)
        server = make_server(guard, limits, ready.set)
        server.config.lifespan = "off"
        listener = listen("127.0.0.1", 0)
        port = listener.getsockname()[1]
        thread = threading.Thread(target=server.run, args=([listener],))
        thread.start()
        running.append((server, thread))
        assert ready.wait(20)
        return int(port)

    yield start
    for server, thread in running:
        server.force_exit = server.should_exit = True
        thread.join(20)


def connect(port: int, data: bytes = b"") -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", port), timeout=20)
    connection.sendall(data)
    return connection


def answer(connection: socket.socket) -> bytes:
    data = b""
    while not data.endswith((b"\r\n\r\nok", b"}")) and (part := connection.recv(9999)):
        data += part
    return data


def is_open(connection: socket.socket) -> bool:
    connection.setblocking(False)
    try:
        while connection.recv(9999):
            pass
    except BlockingIOError:
        return True
    except ConnectionError:
        pass
    return False


@pytest.mark.parametrize("data", [b"", b"GET / HT", GET, POST, POST + b"x"])
def test_many_connections(start: Start, data: bytes) -> None:
    port = start(requests=2)
    waiting = [connect(port, data) for _ in range(40)]  # fewer than 16 fit
    with connect(port, GET) as connection:
        assert answer(connection).startswith(b"HTTP/1.1 200")
    left = [is_open(connection) for connection in waiting]
    assert left == [False] * 26 + [True] * 14  # beside the one that asks
    for connection in waiting:
        connection.close()


def test_slow_upload_ends_by_itself(start: Start) -> None:
    with connect(start(seconds=0.3), POST) as connection:
        data = answer(connection)
    assert data.startswith(b"HTTP/1.1 408")
    assert b"longer than 0.3 s" in data


class Loop(asyncio.SelectorEventLoop):
    """A loop whose clock can be put forward."""

    ahead = 0.0

    def time(self) -> float:
        return super().time() + self.ahead


class Wire(asyncio.Transport):
    """A connection without a network."""

    def __init__(self) -> None:
        super().__init__()
        self.sent = b""
        self.closed = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.sent += data

    def is_closing(self) -> bool:
        return self.closed

    def close(self) -> None:
        self.closed = True

    def pause_reading(self) -> None:
        pass

    def resume_reading(self) -> None:
        pass


def closed_after(app: ASGIApp, *steps: bytes | float) -> list[bool]:
    """Sends bytes and lets seconds pass; whether the server hung up, after each."""
    loop = Loop()

    async def run() -> list[bool]:
        server = make_server(Guard(app, Access(), Limits()), Limits(), print)
        server.config.load()
        protocol = PromptProtocol(server.config, server.server_state, {}, loop)
        wire = Wire()
        protocol.connection_made(wire)
        closed = []
        for step in steps:
            if isinstance(step, bytes):
                protocol.data_received(step)
            else:
                loop.ahead += step
            for _ in range(20):
                await asyncio.sleep(0)
            closed.append(wire.closed)
        protocol.connection_lost(None)
        return closed

    try:
        return loop.run_until_complete(run())
    finally:
        loop.close()


@pytest.mark.parametrize(
    "steps",
    [
        (9.0, 2.0),  # nothing at all
        (b"G", 9.0, b"E", 2.0),  # no whole line
        (b"GET / HTTP/1.1\r\nX: 1\r\n", 4.0, b"X: 2\r\n", 5.0, b"X: 3\r\n", 2.0),
        (GET, b"G", 9.0, b"E", 2.0),  # the same on a connection that was used
        (GET + b"G", 4.0, b"E", 6.5),
        # Refused, and the body never ends.
        (POST.replace(b"localhost", b"other"), 4.0, b"x", 4.0, b"x", 3.0),
    ],
)
def test_slow_headers(steps: tuple[bytes | float, ...]) -> None:
    closed = closed_after(says_ok, *steps)
    assert closed == [False] * (len(steps) - 1) + [True]


def test_connection_is_used_again() -> None:
    """The time for a request begins with the connection, and again after each."""
    steps = (9.0, GET, 4.0, b"G", 4.0, GET[1:], 4.0, GET, 4.0)
    assert closed_after(says_ok, *steps) == [False] * len(steps)
    assert closed_after(says_ok, *steps, 2.0)[-1]  # uvicorn's limit for idle ones


def test_long_answers_are_waited_for() -> None:
    async def works(scope: Scope, receive: Receive, send: Send) -> None:
        await asyncio.sleep(25)
        await says_ok(scope, receive, send)

    steps = (GET, 9.0, 9.0, 9.0)
    assert closed_after(works, *steps) == [False] * len(steps)
