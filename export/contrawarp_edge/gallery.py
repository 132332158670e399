"""A gallery of embedded images: one SQLite file."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from datetime import datetime, timezone
from pathlib import Path
from sqlite3 import Connection
from types import TracebackType

import numpy as np
import numpy.typing as npt

from contrawarp_edge import erasing, gallery_file, gallery_rows, gallery_sql
from contrawarp_edge.errors import InputError
from contrawarp_edge.filters import Where, as_conditions
from contrawarp_edge.gallery_rows import to_row
from contrawarp_edge.gallery_sql import sqlite_errors, transaction
from contrawarp_edge.matrix import Matrix
from contrawarp_edge.model_file import ModelInfo
from contrawarp_edge.nearest import unit_rows
from contrawarp_edge.records import Hit, Record
from contrawarp_edge.searcher import Searcher


class Gallery:
    """Embeddings of images, made by one model and kept in one file.

    Made with ``Gallery.create`` or ``Gallery.open``; a context manager. What a method
    wrote is safe once it returned, and other processes may read meanwhile. An object
    belongs to the thread that made it.

    Attributes:
        path: The file.
        info: The model that the embeddings come from.
        aligned: Whether the faces were cut out of the images before embedding; queries
            should be treated likewise.
    """

    def __init__(
        self, path: Path, connection: Connection, meta: Mapping[str, str]
    ) -> None:
        self.path = path
        with sqlite_errors(path):
            self.info = ModelInfo.from_metadata(json.loads(meta["model"]), path)
        self.aligned = meta.get("aligned") == "yes"
        self._connection = connection
        self._searcher = Searcher(path, self.info.dim)

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
        meta = {
            "model": json.dumps(info.to_metadata()),
            "fingerprint": info.fingerprint,
            "dim": str(info.dim),
            "aligned": "yes" if aligned else "no",
        }
        gallery_file.create(Path(path), meta, info.dim)
        return cls.open(path)

    @classmethod
    def open(cls, path: Path | str, *, readonly: bool = False) -> Gallery:
        """Opens a gallery.

        Args:
            path: The file.
            readonly: Refuse to write, and work on media that cannot be written.

        Raises:
            InputError: If the file is missing or no gallery.
        """
        connection, meta = gallery_file.connect(Path(path), readonly=readonly)
        try:
            gallery = cls(Path(path), connection, meta)
            if not readonly:  # what a killed run deleted
                with suppress(InputError):  # `delete` says so
                    gallery._erase()
            return gallery
        except BaseException:
            connection.close()
            raise

    def close(self) -> None:
        """Closes the file; the gallery cannot be used afterwards."""
        self._connection.close()

    def __enter__(self) -> Gallery:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __len__(self) -> int:
        with sqlite_errors(self.path):
            return gallery_sql.count(self._connection)

    @property
    def model_path(self) -> Path | None:
        """Where the model was when images were last embedded with it, if known."""
        query = "SELECT value FROM meta WHERE key = 'model_path'"
        with sqlite_errors(self.path):
            row = self._connection.execute(query).fetchone()
        return Path(row[0]) if row else None

    @model_path.setter
    def model_path(self, path: Path) -> None:
        text = str(path).encode(errors="replace").decode()  # SQLite holds UTF-8 only
        with sqlite_errors(self.path):
            self._connection.execute(
                "INSERT OR REPLACE INTO meta VALUES ('model_path', ?)", (text,)
            )

    def check_model(self, info: ModelInfo) -> None:
        """Checks that embeddings of a model may be compared with the stored ones.

        Raises:
            InputError: If the fingerprints differ.
        """
        if info.fingerprint != self.info.fingerprint:
            raise InputError(
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
                metadata is no JSON, or the file cannot be written. Nothing is
                stored then.
        """
        now = datetime.now(timezone.utc).isoformat(timespec="seconds")
        rows = [to_row(record, self.info.dim, now) for record in records]
        if not rows:
            return []
        ids = []
        with sqlite_errors(self.path), transaction(self._connection, "IMMEDIATE"):
            revision = gallery_sql.next_revision(self._connection)
            for row in rows:
                row["revision"] = revision
                ids.append(gallery_sql.upsert(self._connection, row))
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
        with sqlite_errors(self.path), transaction(self._connection, "IMMEDIATE"):
            count = gallery_sql.delete(self._connection, {int(id) for id in ids})
            if count:
                gallery_sql.next_revision(self._connection)
                gallery_sql.set_erasing(self._connection)
        self._erase()
        return count

    def _erase(self) -> None:
        with sqlite_errors(self.path):
            if gallery_sql.is_erasing(self._connection):
                self._searcher = Searcher(self.path, self.info.dim)
                erasing.finish(self._connection, self.path, self.info.dim)

    def get(self, key: int | str) -> Record | None:
        """The image with an id, or with a path; None if there is none."""
        with sqlite_errors(self.path):
            return gallery_rows.find(self._connection, key)

    def iter_records(self) -> Iterator[Record]:
        """Yields all images by id; the gallery may be changed meanwhile."""
        after = 0
        while True:
            with sqlite_errors(self.path):
                records = gallery_rows.page(self._connection, after)
            if not records:
                return
            yield from records
            after = records[-1].id or 0

    def iter_paths(self, prefix: str = "") -> Iterator[tuple[int, str, str]]:
        """Yields id, path and hash of the images whose path begins with something.

        They come by path; the gallery may be changed meanwhile.
        """
        after = ""
        while True:
            with sqlite_errors(self.path):
                rows = gallery_sql.page_of_paths(self._connection, prefix, after)
            if not rows:
                return
            yield from rows
            after = rows[-1][1]

    def ids_where(self, where: Where) -> list[int]:
        """The ids of the images that fit all of some conditions, at least one."""
        with sqlite_errors(self.path):
            ids = gallery_sql.ids_where(self._connection, as_conditions(where))
        return [int(id) for id in ids]

    def sha256_of(self, path: str) -> str | None:
        """The hash stored for a path, or None if the path is unknown."""
        with sqlite_errors(self.path):
            return gallery_rows.sha256_of(self._connection, path)

    def search(
        self,
        query_vectors: npt.NDArray[np.float32],
        k: int = 10,
        where: Where | None = None,
        *,
        min_score: float | None = None,
        distinct: float | None = None,
        exclude: Collection[int] = (),
        exact: bool = False,
    ) -> list[list[Hit]]:
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
            For each query its hits, best first, equal scores by ascending id.

        Raises:
            InputError: If the queries have another shape or are zero or not finite,
                or ``k`` is less than 1.
        """
        if k < 1:
            raise InputError(f"k has to be at least 1, not {k}")
        queries = unit_rows(query_vectors, self.info.dim)
        with sqlite_errors(self.path), transaction(self._connection, "DEFERRED"):
            return self._searcher.search(
                self._connection,
                queries,
                k,
                as_conditions(where),
                min_score=min_score,
                distinct=distinct,
                exclude=exclude,
                exact=exact,
            )

    @property
    def last_recall(self) -> float | None:
        """Recall of the index that the last search used, None if it was exact."""
        return self._searcher.last_recall

    def mark(self, revision: int) -> str:
        """The random mark of a revision, by which copies of it are known."""
        with sqlite_errors(self.path):
            token = gallery_sql.token(self._connection, revision)
        return "" if token is None else token.hex()

    def matrix(self) -> Matrix:
        """All embeddings of the present moment, for work on the gallery as a whole."""
        with sqlite_errors(self.path), transaction(self._connection, "DEFERRED"):
            return self._searcher.matrix(self._connection)
