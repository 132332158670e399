"""The bodies of requests, read into memory that is bounded for all of them together."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio
from anyio.lowlevel import checkpoint
from starlette.datastructures import Headers
from starlette.types import Receive, Scope

from contrawarp_edge.server.transport.refusal import Gone, Refusal


class Bodies:
    """All bodies that arrive and that are being worked with.

    When there is no room for what arrives, the body that has been arriving for longest
    is refused: whoever sends slowly keeps nobody else out.

    Args:
        each: Most bytes of one body.
        together: Most bytes of all.
    """

    def __init__(self, each: int, together: int) -> None:
        self._each = each
        self._together = together
        self._arriving: dict[anyio.CancelScope, int] = {}  # the oldest first
        self._complete = 0

    @asynccontextmanager
    async def read(self, scope: Scope, receive: Receive) -> AsyncIterator[bytes]:
        """The body of a request, which counts until the context is left.

        Raises:
            Refusal: If it is too large, or there is no room for it any more.
            Gone: If the client leaves.
        """
        body = await self._arrived(scope, receive)
        self._complete += len(body)
        try:
            yield body
        finally:
            self._complete -= len(body)

    async def _arrived(self, scope: Scope, receive: Receive) -> bytes:
        declared = Headers(scope=scope).get("content-length", "")
        if declared.isdecimal() and int(declared) > self._each:
            raise self._too_large()
        with anyio.CancelScope() as arrival:
            self._arriving[arrival] = 0
            try:
                return await self._collected(receive, arrival)
            finally:
                self._arriving.pop(arrival, None)
        raise Refusal(
            503,
            "too many uploads at once",
            {"connection": "close", "retry-after": "1"},
        )

    async def _collected(self, receive: Receive, arrival: anyio.CancelScope) -> bytes:
        parts = []
        size = 0
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise Gone
            parts.append(message.get("body", b""))
            size += len(parts[-1])
            if size > self._each:
                raise self._too_large()
            if arrival in self._arriving:
                self._arriving[arrival] = size
                self._make_room()
            if arrival.cancel_called:
                await checkpoint()  # ends here
            if not message.get("more_body", False):
                return b"".join(parts)

    def _make_room(self) -> None:
        while self._complete + sum(self._arriving.values()) > self._together:
            oldest = next(iter(self._arriving))
            del self._arriving[oldest]
            oldest.cancel()

    def _too_large(self) -> Refusal:
        return Refusal(
            413,
            f"the upload is larger than the {self._each / (1 << 20):g} MB allowed",
            {"connection": "close"},
        )
