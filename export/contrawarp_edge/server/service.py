"""What the service does, apart from how it is asked over HTTP."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from contrawarp_edge.core.errors import (
    InputError,
    NotApplicableError,
    NotFoundError,
    StorageError,
)
from contrawarp_edge.gallery.gallery import Gallery
from contrawarp_edge.gallery.ranking import ranked
from contrawarp_edge.gallery.records import Record
from contrawarp_edge.gallery.uploads import Uploads
from contrawarp_edge.inputs.loading import Prepare
from contrawarp_edge.model.embedder import Embedder, Outputs
from contrawarp_edge.search.query import combined
from contrawarp_edge.server import pictures, schemas
from contrawarp_edge.server.answers import (
    Example,
    image_record,
    known,
    only,
    probabilities,
    search_hit,
    vector_of,
)
from contrawarp_edge.server.errors import ReadonlyError, changing
from contrawarp_edge.server.fields import Fields
from contrawarp_edge.server.pool import GalleryPool
from contrawarp_edge.server.settings import Limits


class Service:
    """A gallery and its model, for many clients at once.

    Args:
        pool: Threads with the gallery.
        embedder: The gallery's model.
        limits: What one request may use.
        uploads: Where added images are.
        writable: Whether images may be added and deleted.
        prepare: What to embed of an image; all of it if None.
    """

    def __init__(
        self,
        pool: GalleryPool,
        embedder: Embedder,
        limits: Limits,
        uploads: Uploads,
        prepare: Prepare | None = None,
        *,
        writable: bool = False,
    ) -> None:
        self._pool = pool
        self._embedder = embedder
        self._limits = limits
        self._uploads = uploads
        self._prepare = prepare
        self._is_writable = writable
        self._writing = threading.Lock()
        self._fields = Fields()

    @property
    def fingerprint(self) -> str:
        """Of the model."""
        return self._embedder.info.fingerprint

    async def check(self) -> None:
        """Reads a little of the gallery, as those who open it now would see it.

        Raises:
            StorageError: If it is gone, damaged or replaced; its path is not named.
        """

        def work(gallery: Gallery) -> bool:
            revision = gallery.revision
            mark = gallery.mark(revision)
            with Gallery.open(gallery.path, readonly=True) as anew:
                anew.get(1)  # down to a page of images, even if it is deleted
                return anew.mark(revision) == mark

        try:
            is_same = await self._pool.run(work)
        except (InputError, OSError) as error:
            raise StorageError("the gallery cannot be read: gone, damaged?") from error
        if not is_same:  # its content was written over
            raise StorageError("the gallery was replaced; start the service again")

    @property
    def classes(self) -> tuple[str, ...]:
        """Of the model."""
        return self._embedder.info.classes

    def check_recognises(self) -> None:
        """Raises NotApplicableError if the model has no classes."""
        if not self.classes:
            raise NotApplicableError("the model of this service has no classes")

    async def run(self, images: Sequence[bytes]) -> Outputs:
        """Embeds and recognises uploaded files."""
        self._check_count(len(images))

        def work(gallery: Gallery) -> Outputs:
            # One by one, so that no more than one is decoded at a time.
            return Outputs.joined([self._run(data)[0] for data in images])

        return await self._pool.run(work)

    async def search(
        self,
        like: Sequence[Example],
        unlike: Sequence[Example],
        options: schemas.SearchOptions,
    ) -> schemas.SearchResult:
        """Searches by examples; those of the gallery are not among the hits."""
        self._check_hits("k", options.k)
        self._check_count(len(like) + len(unlike))

        def work(gallery: Gallery) -> schemas.SearchResult:
            found = gallery.search(
                combined(
                    [vector_of(gallery, example) for example in like],
                    [vector_of(gallery, example) for example in unlike],
                ),
                options.k,
                options.where,
                min_score=options.min_score,
                exclude=[e for e in (*like, *unlike) if isinstance(e, int)],
                exact=options.exact,
            )
            hits = ranked(
                found[0], gallery.info, sort=options.sort, best_of=options.best_of
            )
            return schemas.SearchResult(
                hits=[search_hit(hit) for hit in hits],
                images=len(gallery),
                recall=found.recall,
            )

        return await self._pool.run(work)

    async def stats(self, gallery_name: str) -> schemas.Stats:
        """Says what there is to search."""

        def work(gallery: Gallery) -> schemas.Stats:
            return schemas.Stats(
                gallery=gallery_name,
                images=len(gallery),
                model=schemas.Model(**only(schemas.Model, asdict(gallery.info))),
                fields=self._fields.of(gallery),
                writable=self._is_writable,
                limits=schemas.RequestLimits(
                    **only(schemas.RequestLimits, asdict(self._limits))
                ),
            )

        return await self._pool.run(work)

    async def get(self, id: int) -> schemas.ImageRecord:
        """Looks up an image."""

        def work(gallery: Gallery) -> schemas.ImageRecord:
            return image_record(known(gallery, id))

        return await self._pool.run(work)

    async def list_images(
        self, options: schemas.ListRequest
    ) -> list[schemas.ImageRecord]:
        """Lists images that fit conditions."""
        self._check_hits("limit", options.limit)

        def work(gallery: Gallery) -> Sequence[Record]:
            return ranked(
                gallery.iter_records(options.where),
                gallery.info,
                sort=options.sort,
                best_of=options.best_of,
                limit=options.limit,
            )

        return [image_record(record) for record in await self._pool.run(work)]

    async def picture(self, id: int, side: int) -> bytes:
        """A JPEG of an image that is at most ``side`` pixels high and wide."""

        def work(gallery: Gallery) -> bytes:
            path = known(gallery, id).path
            try:
                return pictures.encoded(str(self._uploads.find(path) or path), side)
            except InputError as error:
                raise NotFoundError(str(error)) from error

        return await self._pool.run(work)

    async def add(
        self, data: bytes, metadata: Mapping[str, Any] | None
    ) -> tuple[schemas.ImageRecord, bool]:
        """Stores an uploaded image; returns its record and whether it is new."""

        def work(gallery: Gallery) -> tuple[schemas.ImageRecord, bool]:
            self._check_writable()
            outputs, extension = self._run(data)
            sha256 = hashlib.sha256(data).hexdigest()
            path = self._uploads.path(sha256, extension)
            (scores,) = probabilities(outputs.scores, gallery.info.classes)
            (vector,) = outputs.embeddings
            record = Record(str(path), sha256, vector, metadata, scores=scores)
            if len(record.metadata_json() or "") > self._limits.metadata_bytes:
                raise InputError(
                    f"metadata is longer than the {self._limits.metadata_bytes:,} "
                    "bytes allowed"
                )
            with self._writing:
                new = gallery.sha256_of(record.path) is None
                with changing("cannot store the image"):
                    try:
                        # The file comes first, so that no image is ever without one.
                        self._uploads.save(path, data)
                        (id,) = gallery.add([record])
                        if not path.exists():  # another process took it for an orphan
                            self._uploads.save(path, data)
                    except BaseException:
                        if new:
                            path.unlink(missing_ok=True)
                        raise
                stored = known(gallery, id)
            return image_record(stored), new

        return await self._pool.run(work)

    async def delete(self, id: int) -> None:
        """Erases an image, and its file if a client added it."""

        def work(gallery: Gallery) -> None:
            self._check_writable()
            if not self._erase(gallery, [id]):
                raise NotFoundError(f"no image has id {id}")

        await self._pool.run(work)

    async def delete_where(self, request: schemas.DeleteRequest) -> int:
        """Erases the images with some metadata and returns how many there were."""

        def work(gallery: Gallery) -> int:
            self._check_writable()
            return self._erase(gallery, gallery.ids_where(request.where))

        return await self._pool.run(work)

    def _erase(self, gallery: Gallery, ids: Sequence[int]) -> int:
        with self._writing, changing("cannot delete"):
            try:
                return gallery.delete(ids)
            finally:
                self._fields.forget()

    def _run(self, data: bytes) -> tuple[Outputs, str]:
        pixels, extension = pictures.decode_upload(data, self._limits.pixels)
        if self._prepare is not None:
            pixels = self._prepare(pixels)
        return self._embedder.run(pixels), extension

    def _check_hits(self, name: str, count: int) -> None:
        if count > self._limits.hits:
            raise InputError(
                f"{name}: at most {self._limits.hits} hits can be asked for"
            )

    def _check_count(self, examples: int) -> None:
        if not 1 <= examples <= self._limits.examples:
            raise InputError(
                f"1 to {self._limits.examples} examples are possible, not {examples}"
            )

    def _check_writable(self) -> None:
        if not self._is_writable:
            raise ReadonlyError(
                "this service only reads its gallery; start it with --allow-add"
            )
