"""The endpoints below ``/api``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

import numpy as np
from fastapi import APIRouter, File, Form, Path, Response, UploadFile
from pydantic import Json, JsonValue

from contrawarp_edge.server import schemas
from contrawarp_edge.server.answers import Example, probabilities, recognised
from contrawarp_edge.server.service import Service

THUMBNAIL_SIDE = 224
"""Most pixels of height and width of a thumbnail."""

IMAGE_SIDE = 1280
"""Most pixels of height and width of an image."""

_Id = Annotated[int, Path(ge=1, lt=1 << 63)]
_Files = Annotated[list[UploadFile], File()]
_Ids = Annotated[list[schemas.Id], Form()]
_JPEG: dict[int | str, dict[str, Any]] = {
    200: {"content": {"image/jpeg": {}}, "description": "A JPEG without metadata."}
}
_ANYWHERE: dict[int | str, dict[str, Any]] = {
    status: {"model": schemas.Error} for status in (401, 403, 413, 422, 503)
}
_KNOWN: dict[int | str, dict[str, Any]] = {
    200: {"model": schemas.ImageRecord, "description": "The image was there already."}
}
_NOT_FOUND: dict[int | str, dict[str, Any]] = {404: {"model": schemas.Error}}
_FULL: dict[int | str, dict[str, Any]] = {507: {"model": schemas.Error}}


def health_router(service: Service) -> APIRouter:
    """The endpoint that needs no token."""
    router = APIRouter(prefix="/api", tags=["service"])

    @router.get("/health", responses={503: {"model": schemas.Error}})
    async def health() -> schemas.Health:
        """Whether the service runs and its gallery can be read. Needs no token."""
        await service.check()
        return schemas.Health(status="ok")

    return router


def api_router(service: Service, gallery_name: str) -> APIRouter:
    """The endpoints of a service, all but the one for its health.

    Args:
        service: What answers.
        gallery_name: What clients are told the gallery is called.
    """
    router = APIRouter(prefix="/api", responses=_ANYWHERE)

    @router.get("/stats", tags=["service"])
    async def stats() -> schemas.Stats:
        """What there is to search, and what a request may use."""
        return await service.stats(gallery_name)

    @router.post("/embed", tags=["search"])
    async def embed(image: _Files) -> schemas.EmbedResult:
        """Embed one image or several."""
        outputs = await service.run([await file.read() for file in image])
        return schemas.EmbedResult(
            fingerprint=service.fingerprint,
            embeddings=outputs.embeddings.tolist(),
            scores=probabilities(outputs.scores, service.classes),
        )

    @router.post("/recognise", tags=["search"])
    async def recognise(image: _Files) -> schemas.RecogniseResult:
        """Recognise the expressions in one image or several; they are not stored."""
        service.check_recognises()
        outputs = await service.run([await file.read() for file in image])
        return schemas.RecogniseResult(
            fingerprint=service.fingerprint,
            faces=recognised(outputs.scores, service.classes),
        )

    @router.post("/search", tags=["search"], responses=_NOT_FOUND)
    async def search(request: schemas.SearchRequest) -> schemas.SearchResult:
        """Search by ids and embeddings, like some and unlike others."""
        like, unlike = _examples(request.like), _examples(request.unlike)
        return await service.search(like, unlike, request)

    @router.post("/search/image", tags=["search"], responses=_NOT_FOUND)
    async def search_image(
        image: _Files,
        unlike_image: _Files = [],  # noqa: B006 FastAPI copies it
        like_id: _Ids = [],  # noqa: B006
        unlike_id: _Ids = [],  # noqa: B006
        k: Annotated[int, Form(ge=1)] = 20,
        where: Annotated[Json[schemas.Where] | None, Form()] = None,
        min_score: Annotated[schemas.MinScore, Form()] = None,
        sort: Annotated[schemas.Sort, Form()] = None,
        best_of: Annotated[schemas.BestOf, Form()] = None,
        exact: Annotated[schemas.Exact, Form()] = False,
    ) -> schemas.SearchResult:
        """Search by uploaded images, and by ids beside them; they are not stored."""
        uploads = [*image, *unlike_image]
        outputs = await service.run([await file.read() for file in uploads])
        vectors = outputs.embeddings
        return await service.search(
            [*vectors[: len(image)], *like_id],
            [*vectors[len(image) :], *unlike_id],
            schemas.SearchOptions(
                k=k,
                where=where or {},
                min_score=min_score,
                sort=sort,
                best_of=best_of,
                exact=exact,
            ),
        )

    @router.post("/images/list", tags=["images"])
    async def list_images(request: schemas.ListRequest) -> schemas.ImageList:
        """List images, all or those that fit, in the order of a class or by id."""
        return schemas.ImageList(images=await service.list_images(request))

    @router.get("/images/{id}", tags=["images"], responses=_NOT_FOUND)
    async def get_image(id: _Id) -> schemas.ImageRecord:
        """What the gallery knows of an image."""
        return await service.get(id)

    @router.get(
        "/images/{id}/thumbnail",
        tags=["images"],
        response_class=Response,
        responses=_JPEG | _NOT_FOUND,
    )
    async def thumbnail(id: _Id) -> Response:
        """A small picture of an image."""
        return _jpeg(await service.picture(id, THUMBNAIL_SIDE))

    @router.get(
        "/images/{id}/picture",
        tags=["images"],
        response_class=Response,
        responses=_JPEG | _NOT_FOUND,
    )
    async def picture(id: _Id) -> Response:
        """A larger picture of an image."""
        return _jpeg(await service.picture(id, IMAGE_SIDE))

    @router.post("/images", tags=["images"], status_code=201, responses=_KNOWN | _FULL)
    async def add_image(
        response: Response,
        image: Annotated[UploadFile, File()],
        metadata: Annotated[Json[dict[str, JsonValue]] | None, Form()] = None,
    ) -> schemas.ImageRecord:
        """Add an image; the same file again only gets the new metadata (200)."""
        record, new = await service.add(await image.read(), metadata)
        if not new:
            response.status_code = 200
        return record

    @router.delete(
        "/images/{id}",
        tags=["images"],
        status_code=204,
        response_class=Response,
        responses=_NOT_FOUND | _FULL,
    )
    async def delete_image(id: _Id) -> Response:
        """Erase an image from the gallery, and its file if a client added it."""
        await service.delete(id)
        return Response(status_code=204)

    # No DELETE with a query, since addresses get into logs, and names of people with
    # them.
    @router.post("/images/delete", tags=["images"], responses=_FULL)
    async def delete_images(request: schemas.DeleteRequest) -> schemas.DeleteResult:
        """Erase all images with some metadata, such as those of a person."""
        return schemas.DeleteResult(deleted=await service.delete_where(request))

    return router


def _examples(examples: Sequence[schemas.Example]) -> list[Example]:
    return [np.asarray(e.embedding) if e.id is None else e.id for e in examples]


def _jpeg(data: bytes) -> Response:
    headers = {"cache-control": "private, max-age=60"}
    return Response(data, media_type="image/jpeg", headers=headers)
