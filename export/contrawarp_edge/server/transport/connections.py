"""Connections that wait for a request: not for long, and not in anybody's way."""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

REQUEST_SECONDS = 10.0
"""Longest time from the moment when a connection is free for a request until all
headers of it have arrived. uvicorn bounds only how long a connection is idle."""


class PromptProtocol(H11Protocol):
    """uvicorn's HTTP, which lets connections go whose request does not arrive.

    When there are as many connections as uvicorn's ``limit_concurrency`` allows, the
    one that has been waiting for longest for a complete request makes room.
    """

    _deadline: asyncio.TimerHandle | None = None
    _since = 0.0

    def __init__(self, *arguments: Any, **settings: Any) -> None:
        super().__init__(*arguments, **settings)
        # uvicorn would count those that have made room until their tasks have ended.
        self._most, self.limit_concurrency = self.limit_concurrency, None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Starts to wait for the first request."""
        super().connection_made(transport)
        self._wait()
        self._make_room()

    def connection_lost(self, exc: Exception | None) -> None:
        """Waits no longer."""
        self._stop_waiting()
        super().connection_lost(exc)

    def on_response_complete(self) -> None:
        """Starts to wait for the next request."""
        self._wait()  # first, since the next request may have arrived already
        super().on_response_complete()

    def _wait(self) -> None:
        self._stop_waiting()
        self._since = self.loop.time()
        self._deadline = self.loop.call_later(REQUEST_SECONDS, self._late, self.cycle)

    def _stop_waiting(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()

    def _late(self, answered: object) -> None:
        if self.cycle is answered:  # no other request has begun
            self.transport.close()

    def _make_room(self) -> None:
        while self._most is not None and len(self.connections) >= self._most:
            others = (c for c in self.connections if isinstance(c, PromptProtocol))
            waiting = [c for c in others if c is not self and c._is_waiting()]
            if not waiting:
                self.limit_concurrency = 0  # uvicorn answers 503
                return
            oldest = min(waiting, key=lambda connection: connection._since)
            self.connections.discard(oldest)
            oldest.transport.abort()

    def _is_waiting(self) -> bool:
        """Whether nothing is being done for this connection at the moment."""
        cycle = self.cycle
        if cycle is None or self.transport.is_closing():
            return True
        return cycle.more_body or cycle.response_complete
