"""Checks requests before anything else sees them, and bounds what they may use."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from typing import NoReturn
from urllib.parse import urlsplit

import anyio
from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from contrawarp_edge.server.settings import Access, Limits

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


class Refusal(Exception):
    """A request that is not let in."""

    def __init__(
        self, status: int, message: str, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.headers = headers


class _Gone(Exception):
    """The client left before its request was complete."""


class Guard:
    """ASGI middleware in front of the whole service.

    In this order: host, origin, token, number of requests, size and time of the
    body, time to the response. A refusal is JSON like every other error. Every
    response gets the security headers.

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

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Lets a request through, or answers it with a refusal."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1008})
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
            await self._bounded(scope, receive, send_with_headers)
        except Refusal as refusal:
            if started:
                raise
            response = JSONResponse(
                {"error": str(refusal)}, refusal.status, refusal.headers
            )
            await response(scope, receive, send_with_headers)
        except _Gone:
            pass

    async def _bounded(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._active >= self._limits.requests:
            raise Refusal(503, "too many requests at once", {"retry-after": "1"})
        self._active += 1
        body: bytes | None = None
        try:
            with anyio.fail_after(self._limits.seconds):
                body = await read_body(scope, receive, self._limits.upload_bytes)
                await self.app(scope, _replay(body, receive), send)
        except TimeoutError:
            _refuse_late(body, self._limits.seconds)
        finally:
            self._active -= 1


def check_access(scope: Scope, access: Access) -> None:
    """Checks to whom a request is addressed, where it comes from, and its token.

    Raises:
        Refusal: If it is not to be answered.
    """
    headers = Headers(scope=scope)
    address = headers.get("host", "").lower()
    name = _hostname(address)
    if not access.knows_host(name):
        raise Refusal(
            421,
            f"this service is not known as {name!r}; reach it by its IP address, or "
            "start it with --allowed-host",
        )
    origin = headers.get("origin")
    if origin is not None and origin.lower().partition("://")[2] != address:
        raise Refusal(403, "requests from pages of other origins are not answered")
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


def _hostname(address: str) -> str:
    try:
        return urlsplit(f"//{address}").hostname or ""
    except ValueError:
        return ""


async def read_body(scope: Scope, receive: Receive, limit: int) -> bytes:
    """Reads the body of a request, never more than ``limit`` bytes of it.

    Raises:
        Refusal: If it is larger.
    """
    declared = Headers(scope=scope).get("content-length", "")
    if declared.isdecimal() and int(declared) > limit:
        _refuse_large(limit)
    parts = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise _Gone
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > limit:
            _refuse_large(limit)
        if not message.get("more_body", False):
            return b"".join(parts)


def _replay(body: bytes, receive: Receive) -> Receive:
    pending: list[Message] = [{"type": "http.request", "body": body}]

    async def replayed() -> Message:
        return pending.pop() if pending else await receive()

    return replayed


def _refuse_large(limit: int) -> NoReturn:
    raise Refusal(
        413,
        f"the upload is larger than the {limit / (1 << 20):g} MB allowed",
        {"connection": "close"},
    )


def _refuse_late(body: bytes | None, seconds: float) -> NoReturn:
    if body is None:
        raise Refusal(
            408, f"the upload took longer than {seconds:g} s", {"connection": "close"}
        )
    raise Refusal(
        503, f"busy: no answer within {seconds:g} s", {"retry-after": "5"}
    ) from None
