"""The page, from files that are read once: no path of a request is ever opened."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from fastapi import APIRouter
from starlette.responses import Response

from contrawarp_edge.web import MEDIA_TYPES, page_files


def page_router() -> APIRouter:
    """Routes for ``/`` and the files that the page loads."""
    router = APIRouter(include_in_schema=False)
    for name, content in page_files("service").items():
        path = "/" if name == "index.html" else f"/{name}"
        router.add_api_route(path, _file(content, name), methods=["GET", "HEAD"])
    return router


def _file(content: bytes, name: str) -> Callable[[], Awaitable[Response]]:
    media_type = MEDIA_TYPES[name.rpartition(".")[2]]

    async def endpoint() -> Response:
        return Response(content, media_type=media_type)

    return endpoint
