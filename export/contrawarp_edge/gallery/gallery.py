"""A gallery of embedded images: one SQLite file."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timezone
from functools import partial
from pathlib import Path

from contrawarp_edge.core.drafts import remove_stale_draft
from contrawarp_edge.core.errors import DamagedError, InputError, NotApplicableError
from contrawarp_edge.core.sqlite.transactions import paged
from contrawarp_edge.gallery import erase
from contrawarp_edge.gallery.conditions import Where, as_conditions
from contrawarp_edge.gallery.embeddings.matrix import Matrix
from contrawarp_edge.gallery.embeddings.snapshot import snapshot_path
from contrawarp_edge.gallery.paths.gallery_paths import GalleryPaths
from contrawarp_edge.gallery.paths.settling import folder_entry
from contrawarp_edge.gallery.records import Hits, Record
from contrawarp_edge.gallery.searcher import Searcher, Wanted
from contrawarp_edge.gallery.store import gallery_file, record_rows, statements
from contrawarp_edge.gallery.store.opened import OpenedFile
from contrawarp_edge.gallery.store.record_rows import to_row
from contrawarp_edge.gallery.store.schema import facts_of, model_of
from contrawarp_edge.model.info import ModelInfo
from contrawarp_edge.search.vectors import Vectors, unit_rows


class Gallery:
    """Embeddings of images, made by one model and kept in one file.

    Made with ``Gallery.create`` or ``Gallery.open``; a context manager. What a method
    wrote is safe once it returned, and other processes may read meanwhile. An object
    belongs to the thread that made it.

    Paths that methods take are relative to the current folder. Paths that they return
    open from there: they are relative if they lie below it, else absolute.

    Attributes:
        path: The file.
        info: The model that the embeddings come from.
        aligned: Whether the faces were cut out of the images before embedding; queries
            should be treated likewise.
        paths: Where its images are.
    """

    def __init__(self, file: OpenedFile) -> None:
        self.path = file.path
        self.info = model_of(file.meta, self.path)
        self.aligned = file.meta.get("aligned") == "yes"
        self.paths = GalleryPaths(file)
        self._file = file
        self._searcher = Searcher(file, self.info)

    @classmethod
    def create(
        cls, path: Path | str, info: ModelInfo, *, aligned: bool = False
    ) -> Gallery:
        """Creates an empty gallery for embeddings of a model.

        Args:
            path: Where; nothing may be there yet.
            info: The model.
            aligned: Whether faces will be cut out of the images before embedding.

        Raises:
            InputError: If the path is taken or cannot be written.
        """
        meta = facts_of(info, aligned=aligned)
        meta |= folder_entry(Path(path))
        gallery_file.create(Path(path), meta, info.dim)
        return cls.open(path)

    @classmethod
    def open(cls, path: Path | str, *, readonly: bool = False) -> Gallery:
        """Opens a gallery, and brings it up to date if it may be written.

        Args:
            path: The file.
            readonly: Refuse to write, and work on media that cannot be written.

        Raises:
            InputError: If the file is missing or no gallery.
        """
        file = OpenedFile(Path(path), readonly=readonly)
        try:
            gallery = cls(file)
            if not readonly:
                # What a killed run left, and what it deleted.
                remove_stale_draft(snapshot_path(file.place))
                with suppress(InputError):  # `delete` said so, and will again
                    gallery._erase()
                with suppress(DamagedError):  # who reads the damaged image says so
                    gallery.paths.settle()
            return gallery
        except BaseException:
            file.close()
            raise

    def close(self) -> None:
        """Closes the file; the gallery cannot be used afterwards."""
        self._file.close()

    def __enter__(self) -> Gallery:
        return self

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        try:
            if error is None:
                self._file.check_place()
        finally:
            self.close()

    def __len__(self) -> int:
        return self._file.read(statements.count)

    def __contains__(self, id: int) -> bool:
        """Whether there is an image with an id, be it damaged or not."""
        return self._file.read(partial(statements.has_id, id=id))

    @property
    def model_path(self) -> Path | None:
        """Where the model was when images were last embedded with it, if known."""
        return self.paths.model

    @model_path.setter
    def model_path(self, path: Path) -> None:
        self.paths.model = path

    def check_model(self, info: ModelInfo) -> None:
        """Raises InputError unless embeddings of a model may be compared with these."""
        if info.fingerprint != self.info.fingerprint:
            raise NotApplicableError(
                f"{self.path}: made with model {self.info.short_fingerprint}, not "
                f"{info.short_fingerprint}; use that model, or embed the images into "
                "a new gallery"
            )

    def add(self, records: Iterable[Record]) -> list[int]:
        """Adds images, or replaces those whose path is known, in one transaction.

        Args:
            records: What to store; ``id`` and ``added`` are ignored. A replaced row
                keeps its id.

        Returns:
            The ids, in the order of the records.

        Raises:
            InputError: If an embedding is not ``(D,)``, finite and non-zero, or
                metadata is no JSON, or scores are of other classes, or the file cannot
                be written. Nothing is stored then.
        """
        now = datetime.now(timezone.utc).isoformat(timespec="seconds")
        rows = [to_row(record, self.info, now) for record in records]
        if not rows:
            return []
        ids = []
        with self._file.writing() as connection:
            revision = statements.next_revision(connection)
            for row in rows:
                row |= {"path": self.paths.stored(row["path"]), "revision": revision}
                ids.append(statements.upsert(connection, row))
        return ids

    def delete(self, ids: Iterable[int]) -> int:
        """Erases images by id; unknown ids are ignored.

        Then no file of the gallery holds anything of them any more; pictures that
        clients of the service added go too. As the file is written anew for that, many
        images are best deleted at once.

        Returns:
            How many there were.

        Raises:
            InputError: If something is left; opening the gallery tries again.
        """
        with self._file.writing() as connection:
            count = statements.delete(connection, {int(id) for id in ids})
            if count:
                erase.set_pending(connection, statements.next_revision(connection))
        self._erase()
        return count

    def _erase(self) -> None:
        if self._file.read(erase.pending) is not None:
            self._searcher.forget()
            erase.finish(self._file.connection, self._file.place, self.info.dim)

    def get(self, key: int | str) -> Record | None:
        """The image with an id, or with a path; None if there is none."""
        keys = self.paths.forms(key) if isinstance(key, str) else [key]
        find = partial(record_rows.find, classes=self.info.classes)
        finders = (partial(find, key=one) for one in keys)
        record = next(filter(None, map(self._file.read, finders)), None)
        return None if record is None else self._shown(record)

    def iter_records(self, where: Where | None = None) -> Iterator[Record]:
        """Yields images by id, all or those that fit all of some conditions.

        The gallery may be changed meanwhile.

        Raises:
            DamagedError: If an image is damaged.
        """
        chosen = set(self.ids_where(where)) if (where := as_conditions(where)) else None
        pages = record_rows.pages(self._file.read, self.info.classes)
        for records in paged(pages, self.path):
            for record in records:
                if chosen is None or record.id in chosen:
                    yield self._shown(record)

    def iter_paths(
        self, folder: Path | str | None = None
    ) -> Iterator[tuple[int, str, str]]:
        """Yields id, path and hash of all images, or of those below a folder.

        The gallery may be changed meanwhile.
        """
        return self.paths.rows(folder)

    def ids_where(self, where: Where) -> list[int]:
        """The ids of the images that fit all of some conditions, at least one."""
        find = partial(statements.ids_where, conditions=as_conditions(where))
        return [int(id) for id in self._file.read(find)]

    def expressions(self) -> dict[str, int]:
        """How many images show each expression most probably, the most frequent first.

        Empty if the model has no classes.
        """
        return self._file.read(statements.expressions)

    def sha256_of(self, path: str) -> str | None:
        """The hash stored for a path, or None if the path is unknown."""
        forms = self.paths.forms(path)
        finders = (partial(record_rows.sha256_of, path=form) for form in forms)
        return next(filter(None, map(self._file.read, finders)), None)

    def _shown(self, found: Record) -> Record:
        return replace(found, path=self.paths.shown(found.path))

    def search(
        self,
        query_vectors: Vectors,
        k: int = 10,
        where: Where | None = None,
        *,
        min_score: float | None = None,
        distinct: float | None = None,
        exclude: Collection[int] = (),
        exact: bool = False,
    ) -> Hits:
        """Finds the images most similar to each query.

        Args:
            query_vectors: float32 ``(Q, D)`` or ``(D,)``, of any length but zero.
            k: Hits wanted for each query; fewer are returned if there are fewer.
            where: Metadata that hits must have, by name, or conditions; all of it.
            min_score: Least score of a hit, -1 to 1.
            distinct: Leave out hits whose cosine similarity with a better hit is at
                least this.
            exclude: Ids that are no hits.
            exact: Never use the approximate index. There is one only if it was built.

        Returns:
            For each query its hits, best first, equal scores by ascending id; a list
            that also says how approximate the search was (``recall``).

        Raises:
            InputError: If the queries have another shape or are zero or not finite,
                or ``k`` is less than 1.
        """
        if k < 1:
            raise InputError(f"k has to be at least 1, not {k}")
        queries = unit_rows(query_vectors, self.info.dim)
        wanted = Wanted(k, as_conditions(where), min_score, distinct, exclude, exact)
        return self._searcher.search(queries, wanted, self.paths.shown)

    @property
    def revision(self) -> int:
        """The number of the last write transaction."""
        return self._file.read(statements.revision)

    def mark(self, revision: int) -> str:
        """The random mark of a revision, by which copies of it are known."""
        token = self._file.read(partial(statements.token, revision=revision))
        return "" if token is None else token.hex()

    def matrix(self) -> Matrix:
        """All embeddings of the present moment, for work on the gallery as a whole."""
        return self._searcher.matrix()
