"""Checks requests before anything else sees them, and bounds what they may use."""

from __future__ import annotations

import hmac
from typing import NoReturn

import anyio
from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from contrawarp_edge.server.settings import Access, Limits, hostname
from contrawarp_edge.server.transport.bodies import Bodies
from contrawarp_edge.server.transport.refusal import Gone, Refusal

API = "/api/"
HEALTH = "/api/health"

_HEADERS = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; "
        "img-src 'self' blob:; connect-src 'self'; base-uri 'none'; "
        "form-action 'none'; frame-ancestors 'none'"
    ),
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(self), geolocation=(), microphone=()",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
}


class Guard:
    """ASGI middleware in front of the whole service.

    In this order: host, origin, token, size and time of the body, number of requests,
    time to the response. A refusal is JSON like every other error. Every response gets
    the security headers. ``HEAD`` is answered as ``GET``.

    Args:
        app: The service.
        access: Whose requests are answered.
        limits: What they may use.
    """

    def __init__(self, app: ASGIApp, access: Access, limits: Limits) -> None:
        self.app = app
        self._access = access
        self._limits = limits
        self._active = 0
        each = limits.upload_bytes
        self._bodies = Bodies(each, each * limits.requests)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Lets a request through, or answers it with a refusal."""
        if scope["type"] != "http":  # nothing is served over websockets
            await self.app(scope, receive, send)
            return
        started = False

        async def send_with_headers(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers[name] = value
                headers.setdefault("cache-control", "no-store")
            await send(message)

        try:
            check_access(scope, self._access)
            # The server itself leaves the body of the answer out.
            method = "GET" if scope["method"] == "HEAD" else scope["method"]
            asked = {**scope, "method": method}
            await self._bounded(asked, receive, send_with_headers)
        except Refusal as refusal:
            if started:  # the client is too slow for its answer: uvicorn hangs up
                return
            response = JSONResponse(
                {"error": str(refusal)}, refusal.status, refusal.headers
            )
            await response(scope, receive, send_with_headers)
        except Gone:
            pass

    async def _bounded(self, scope: Scope, receive: Receive, send: Send) -> None:
        arrived = False
        try:
            with anyio.fail_after(self._limits.seconds):
                async with self._bodies.read(scope, receive) as body:
                    arrived = True
                    await self._answered(scope, _replay(body, receive), send)
        except TimeoutError:
            _refuse_late(arrived, self._limits.seconds)

    async def _answered(self, scope: Scope, receive: Receive, send: Send) -> None:
        # A place is taken only now: no matter how slowly others send theirs.
        if self._active >= self._limits.requests:
            raise Refusal(503, "too many requests at once", {"retry-after": "1"})
        self._active += 1
        try:
            await self.app(scope, receive, send)
        finally:
            self._active -= 1


def check_access(scope: Scope, access: Access) -> None:
    """Checks to whom a request is addressed, where it comes from, and its token.

    Raises:
        Refusal: If it is not to be answered.
    """
    headers = Headers(scope=scope)
    address = headers.get("host", "").lower()
    name = hostname(address)
    if not access.knows_host(name):
        raise Refusal(
            421,
            f"this service is not known as {name!r}; reach it by its IP address, or "
            "start it with --allowed-host",
        )
    origin = headers.get("origin")
    if origin is not None and not access.knows_origin(origin.lower(), address):
        raise Refusal(
            403,
            f"requests from pages of {origin!r} are not answered; if the service is "
            "reached by that name, start it with --allowed-host",
        )
    if not scope["path"].startswith(API) or scope["path"] == HEALTH:
        return
    if headers.get("sec-fetch-site", "none") not in ("none", "same-origin"):
        raise Refusal(403, "requests from pages of other origins are not answered")
    if access.token is None:
        return
    kind, _, given = headers.get("authorization", "").partition(" ")
    right = hmac.compare_digest(given.strip().encode(), access.token.encode())
    if kind.lower() != "bearer" or not right:
        raise Refusal(
            401,
            "a token is needed: send 'Authorization: Bearer TOKEN'",
            {"www-authenticate": "Bearer"},
        )


def _replay(body: bytes, receive: Receive) -> Receive:
    pending: list[Message] = [{"type": "http.request", "body": body}]

    async def replayed() -> Message:
        return pending.pop() if pending else await receive()

    return replayed


def _refuse_late(arrived: bool, seconds: float) -> NoReturn:
    if not arrived:
        raise Refusal(
            408, f"the upload took longer than {seconds:g} s", {"connection": "close"}
        )
    raise Refusal(
        503, f"busy: no answer within {seconds:g} s", {"retry-after": "5"}
    ) from None
