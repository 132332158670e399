"""Running the service until it is told to stop."""

from __future__ import annotations

import signal
import socket
from collections.abc import Callable

import uvicorn

from contrawarp_edge.core.errors import InputError
from contrawarp_edge.server.settings import Limits
from contrawarp_edge.server.transport.connections import PromptProtocol
from contrawarp_edge.server.transport.guard import Guard

# Every connection costs a little, and those that send nothing are not requests yet.
_CONNECTIONS_PER_REQUEST = 8


def listen(host: str, port: int) -> socket.socket:
    """Opens the port.

    Args:
        host: Name or address to listen on.
        port: 0 for any that is free.

    Raises:
        InputError: If there is no such address or the port is taken.
    """
    try:
        family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        return socket.create_server(address[:2], family=family)
    except OSError as error:
        raise InputError(
            f"cannot listen on {host} port {port}: {error.strerror}; choose another "
            "--host or --port"
        ) from error


def run(
    app: Guard, listener: socket.socket, limits: Limits, on_start: Callable[[], None]
) -> None:
    """Answers requests until SIGTERM or Ctrl-C; those begun are ended first.

    Args:
        app: The service.
        listener: Where it listens.
        limits: How many connections, and how long an end may take.
        on_start: Called once requests are answered.
    """
    server = make_server(app, limits, on_start)
    # uvicorn repeats a signal once it has stopped, with the handler it found.
    previous = {
        number: signal.signal(number, lambda *_: None)
        for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        server.run(sockets=[listener])
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def make_server(
    app: Guard, limits: Limits, on_start: Callable[[], None]
) -> uvicorn.Server:
    """Sets up what answers requests; arguments as for ``run``."""
    config = uvicorn.Config(
        app,
        access_log=False,
        date_header=False,
        http=PromptProtocol,
        limit_concurrency=limits.requests * _CONNECTIONS_PER_REQUEST,
        log_level="warning",
        proxy_headers=False,
        server_header=False,
        timeout_graceful_shutdown=int(limits.seconds) + 1,
        ws="none",
    )
    return _Server(config, on_start)


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, on_start: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_start = on_start

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._on_start()
