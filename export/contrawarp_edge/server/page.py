"""The page, from files that are read once: no path of a request is ever opened."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.exceptions import HTTPException
from starlette.responses import Response

from contrawarp_edge.web import MEDIA_TYPES, page_files


def page_router() -> APIRouter:
    """Routes for ``/`` and the files that the page loads."""
    router = APIRouter(include_in_schema=False)
    files = page_files("service")

    @router.get("/")
    @router.get("/{name}")
    async def page(name: str = "index.html") -> Response:
        if name not in files:
            raise HTTPException(404)
        media_type = MEDIA_TYPES[name.rpartition(".")[2]]
        return Response(files[name], media_type=media_type)

    return router
