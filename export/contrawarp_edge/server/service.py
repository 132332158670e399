"""What the service does, apart from how it is asked over HTTP."""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from itertools import islice
from typing import Any

import numpy as np
from pydantic import BaseModel

from contrawarp_edge.embedder import Embedder, Embeddings
from contrawarp_edge.errors import InputError
from contrawarp_edge.gallery import Gallery
from contrawarp_edge.loading import Prepare
from contrawarp_edge.metadata_fields import metadata_fields
from contrawarp_edge.query import Vector, combined
from contrawarp_edge.records import Record
from contrawarp_edge.server import pictures, schemas
from contrawarp_edge.server.pool import GalleryPool
from contrawarp_edge.server.settings import Limits
from contrawarp_edge.server.uploads import Uploads

_FIELDS_SECONDS = 30.0
_FIELDS_IMAGES = 50_000


class NotFoundError(InputError):
    """There is no image with that id, or its original is gone."""


class ReadonlyError(InputError):
    """Clients may not change the gallery."""


class StorageError(InputError):
    """The machine could not store something."""


class Service:
    """A gallery and its model, for many clients at once.

    Args:
        pool: Threads with the gallery.
        embedder: The gallery's model.
        limits: What one request may use.
        uploads: Where added images go; None if nothing may be added or deleted.
        prepare: What to embed of an image; all of it if None.
    """

    def __init__(
        self,
        pool: GalleryPool,
        embedder: Embedder,
        limits: Limits,
        uploads: Uploads | None,
        prepare: Prepare | None = None,
    ) -> None:
        self._pool = pool
        self._embedder = embedder
        self._limits = limits
        self._uploads = uploads
        self._prepare = prepare
        self._writing = threading.Lock()
        self._fields: tuple[float, list[schemas.MetadataField]] = (-np.inf, [])

    @property
    def fingerprint(self) -> str:
        """Of the model."""
        return self._embedder.info.fingerprint

    async def embed(self, images: Sequence[bytes]) -> Embeddings:
        """Embeds uploaded files, float32 ``(N, D)``."""
        self._check_count(len(images))

        def work(gallery: Gallery) -> Embeddings:
            # One by one, so that no more than one is decoded at a time.
            rows = [self._embed(data)[0] for data in images]
            return np.concatenate([np.empty((0, gallery.info.dim), np.float32), *rows])

        return await self._pool.run(work)

    async def search(self, request: schemas.SearchRequest) -> schemas.SearchResult:
        """Searches by examples, which are not among the hits themselves."""
        if request.k > self._limits.hits:
            raise InputError(f"k: at most {self._limits.hits} hits can be asked for")
        self._check_count(len(request.like) + len(request.unlike))

        def work(gallery: Gallery) -> schemas.SearchResult:
            query = combined(
                [_vector(gallery, example) for example in request.like],
                [_vector(gallery, example) for example in request.unlike],
            )
            named = {e.id for e in (*request.like, *request.unlike)} - {None}
            wanted = request.k + len(named)
            (found,) = gallery.search(query, wanted, request.where, exact=request.exact)
            floor = -2.0 if request.min_score is None else request.min_score
            hits = [h for h in found if h.score >= floor and h.id not in named]
            return schemas.SearchResult(
                hits=[schemas.SearchHit(**asdict(hit)) for hit in hits[: request.k]],
                images=len(gallery),
                recall=gallery.last_recall,
            )

        return await self._pool.run(work)

    async def stats(self, gallery_name: str) -> schemas.Stats:
        """Says what there is to search."""

        def work(gallery: Gallery) -> schemas.Stats:
            return schemas.Stats(
                gallery=gallery_name,
                images=len(gallery),
                model=schemas.Model(**_only(schemas.Model, asdict(gallery.info))),
                fields=self._fields_of(gallery),
                writable=self._uploads is not None,
                limits=schemas.RequestLimits(
                    **_only(schemas.RequestLimits, asdict(self._limits))
                ),
            )

        return await self._pool.run(work)

    async def check(self) -> None:
        """Reads from the gallery, to see whether that can be done.

        Raises:
            InputError: If it cannot.
        """
        await self._pool.run(len)

    async def get(self, id: int) -> schemas.ImageRecord:
        """Looks up an image."""

        def work(gallery: Gallery) -> schemas.ImageRecord:
            values = vars(_known(gallery, id))
            return schemas.ImageRecord(**_only(schemas.ImageRecord, values))

        return await self._pool.run(work)

    async def picture(self, id: int, side: int) -> bytes:
        """A JPEG of an image that is at most ``side`` pixels high and wide."""

        def work(gallery: Gallery) -> bytes:
            try:
                return pictures.encoded(_known(gallery, id).path, side)
            except InputError as error:
                raise NotFoundError(str(error)) from error

        return await self._pool.run(work)

    async def add(
        self, data: bytes, metadata: Mapping[str, Any] | None
    ) -> tuple[schemas.ImageRecord, bool]:
        """Stores an uploaded image; returns its record and whether it is new."""

        def work(gallery: Gallery) -> tuple[schemas.ImageRecord, bool]:
            uploads = self._writable()
            vectors, extension = self._embed(data)
            sha256 = hashlib.sha256(data).hexdigest()
            path = uploads.path(sha256, extension)
            record = Record(str(path), sha256, vectors[0], metadata)
            if len(record.metadata_json() or "") > self._limits.metadata_bytes:
                raise InputError(
                    f"metadata is longer than the {self._limits.metadata_bytes:,} "
                    "bytes allowed"
                )
            with self._writing:
                new = gallery.sha256_of(record.path) is None
                try:
                    uploads.save(path, data)
                    (id,) = gallery.add([record])
                except (InputError, OSError) as error:
                    if new:
                        uploads.remove(record.path)
                    reason = getattr(error, "strerror", None) or error
                    raise StorageError(f"cannot store the image: {reason}") from error
                values = vars(_known(gallery, id))
            return schemas.ImageRecord(**_only(schemas.ImageRecord, values)), new

        return await self._pool.run(work)

    async def delete(self, id: int) -> None:
        """Removes an image from the gallery, and its file if a client added it."""

        def work(gallery: Gallery) -> None:
            uploads = self._writable()
            with self._writing:
                record = _known(gallery, id)
                try:
                    gallery.delete([id])
                    uploads.remove(record.path)
                except (InputError, OSError) as error:
                    reason = getattr(error, "strerror", None) or error
                    raise StorageError(f"cannot remove the image: {reason}") from error

        await self._pool.run(work)

    def _embed(self, data: bytes) -> tuple[Embeddings, str]:
        pixels, extension = pictures.decode_upload(data, self._limits.pixels)
        if self._prepare is not None:
            pixels = self._prepare(pixels)
        return self._embedder.embed(pixels), extension

    def _check_count(self, examples: int) -> None:
        if not 1 <= examples <= self._limits.examples:
            raise InputError(
                f"1 to {self._limits.examples} examples are possible, not {examples}"
            )

    def _writable(self) -> Uploads:
        if self._uploads is None:
            raise ReadonlyError(
                "this service only reads its gallery; start it with --allow-add"
            )
        return self._uploads

    def _fields_of(self, gallery: Gallery) -> list[schemas.MetadataField]:
        read, fields = self._fields
        if time.monotonic() - read > _FIELDS_SECONDS:
            found = islice(gallery.iter_records(), _FIELDS_IMAGES)
            fields = [
                schemas.MetadataField(**facts)
                for facts in metadata_fields(record.metadata or {} for record in found)
            ]
            self._fields = (time.monotonic(), fields)
        return fields


def _known(gallery: Gallery, id: int) -> Record:
    record = gallery.get(id)
    if record is None:
        raise NotFoundError(f"no image has id {id}")
    return record


def _vector(gallery: Gallery, example: schemas.Example) -> Vector:
    if example.id is not None:
        return _known(gallery, example.id).embedding
    vector = np.asarray(example.embedding, np.float64)
    if vector.shape != (gallery.info.dim,):
        raise InputError(
            f"an embedding has {len(vector)} numbers; this model's have "
            f"{gallery.info.dim}"
        )
    return vector


def _only(schema: type[BaseModel], values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: values[name] for name in schema.model_fields}
