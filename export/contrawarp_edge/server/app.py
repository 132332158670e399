"""The service as an ASGI application."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version
from pathlib import Path

from fastapi import FastAPI, Security
from fastapi.security import HTTPBearer
from starlette.formparsers import MultiPartParser

from contrawarp_edge.gallery import erase
from contrawarp_edge.gallery.gallery import Gallery
from contrawarp_edge.gallery.uploads import Uploads
from contrawarp_edge.inputs.loading import Prepare
from contrawarp_edge.model.embedder import Embedder
from contrawarp_edge.server.errors import add_error_handlers
from contrawarp_edge.server.page import page_router
from contrawarp_edge.server.pool import GalleryPool
from contrawarp_edge.server.routes import api_router, health_router
from contrawarp_edge.server.service import Service
from contrawarp_edge.server.settings import Access, Limits
from contrawarp_edge.server.transport.guard import Guard


def create_app(
    gallery: Path,
    embedder: Embedder,
    access: Access,
    limits: Limits,
    prepare: Prepare | None = None,
) -> Guard:
    """Makes the service for one gallery.

    Args:
        gallery: The gallery.
        embedder: Its model.
        access: Whose requests are answered.
        limits: What they may use.
        prepare: What to embed of each image that clients send, such as its aligned
            face; all of it if None.

    Raises:
        InputError: If the gallery cannot be opened or belongs to another model.
    """
    with Gallery.open(gallery, readonly=not access.writable) as opened:
        opened.check_model(embedder.info)
    if access.writable:
        erase.remove_orphans(gallery)
    pool = GalleryPool(gallery, limits.threads, readonly=not access.writable)
    service = Service(
        pool, embedder, limits, Uploads(gallery), prepare, writable=access.writable
    )

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        pool.open()
        yield
        pool.close()

    # Uploads are bounded, and the machine may have no folder for temporary files.
    MultiPartParser.spool_max_size = 0
    app = FastAPI(
        title="contrawarp-edge",
        summary="Search faces by expression.",
        version=version("contrawarp-edge"),
        docs_url=None,  # its scripts come from elsewhere
        redoc_url=None,
        lifespan=lifespan,
    )
    bearer = [] if access.token is None else [Security(HTTPBearer(auto_error=False))]
    app.include_router(health_router(service))
    app.include_router(api_router(service, gallery.name), dependencies=bearer)
    app.include_router(page_router())
    add_error_handlers(app)
    return Guard(app, access, limits)
