"""What a gallery searches with: its matrix, perhaps an index, and a check of hits."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection
from dataclasses import dataclass
from sqlite3 import Connection
from typing import TypeAlias

import numpy as np

from contrawarp_edge.core.sqlite.transactions import transaction
from contrawarp_edge.gallery.ann import ann_index, index_file
from contrawarp_edge.gallery.ann.ann_index import AnnIndex
from contrawarp_edge.gallery.ann.index_file import AnnFacts
from contrawarp_edge.gallery.conditions import Condition
from contrawarp_edge.gallery.embeddings.matrix import Matrix
from contrawarp_edge.gallery.embeddings.snapshot import DamagedCopyError
from contrawarp_edge.gallery.records import Hit, Hits
from contrawarp_edge.gallery.store import row_checks, statements
from contrawarp_edge.gallery.store.opened import OpenedFile
from contrawarp_edge.gallery.store.row_checks import Row
from contrawarp_edge.model.info import ModelInfo
from contrawarp_edge.search.distinct import Found, kept_hits
from contrawarp_edge.search.vectors import Rows, Vectors

# What is found for each query, the rows of it by id, and the recall of the index.
_Answer: TypeAlias = tuple[list[Found], dict[int, Row], float | None]
# Said if that is so even of a copy that was just made.
_DISAGREE = "the table and the indices of the gallery say different things of it"


@dataclass(frozen=True)
class Wanted:
    """What a search is for; see ``Gallery.search``."""

    k: int
    conditions: Collection[Condition]
    min_score: float | None
    distinct: float | None
    exclude: Collection[int]
    exact: bool


class Searcher:
    """Searches one gallery and keeps between searches what makes that quick.

    Args:
        file: The gallery, which is open.
        info: The model of its embeddings.
    """

    def __init__(self, file: OpenedFile, info: ModelInfo) -> None:
        self._file = file
        self._path = file.place
        self._dim = info.dim
        self._classes = info.classes
        self.forget()

    def forget(self) -> None:
        """Lets go of all that was kept: it may hold what is to be erased."""
        self._lineage = self._file.lineage
        self._matrix = Matrix.empty(self._path, self._dim)
        self._index: AnnIndex | None = None
        self._facts: AnnFacts | None = None
        self._has_seen_rows = False

    def matrix(self) -> Matrix:
        """All embeddings as they are now, each compared with its checksum."""

        def work(connection: Connection) -> Matrix:
            with transaction(connection, "DEFERRED"):
                self._matrix = self._refreshed(connection).checked(connection)
                return self._matrix

        return self._file.read(work)

    def _refreshed(self, connection: Connection) -> Matrix:
        if self._lineage != self._file.lineage:
            self.forget()
        self._matrix = self._matrix.refreshed(connection)
        return self._matrix

    def search(
        self, queries: Vectors, wanted: Wanted, shown: Callable[[str], str]
    ) -> Hits:
        """Finds hits for unit queries ``(Q, D)``.

        Args:
            queries: What to look for.
            wanted: What the search is for.
            shown: Turns a stored path into that of a hit.
        """

        def work(connection: Connection) -> _Answer:
            with transaction(connection, "DEFERRED"):
                return self._found(connection, queries, wanted)

        found, rows, recall = self._file.read(work)
        # Outside of it, since what shows a path may read the gallery too.
        return Hits(self._hits(found, rows, shown), recall)

    def _found(
        self, connection: Connection, queries: Vectors, wanted: Wanted
    ) -> _Answer:
        matrix = self._refreshed(connection)
        chosen, index = None, None
        if wanted.conditions:
            chosen = self._chosen(connection, wanted.conditions)

        def attempt(index: AnnIndex | None) -> _Answer:
            def find(k: int, rows: Vectors) -> list[Found]:
                if index is not None and k <= ann_index.MAX_HITS:
                    return index.top_k(self._matrix, rows, k)
                return self._matrix.top_k(rows, k, chosen)

            found = self._kept(find, queries, wanted)
            recall = None
            if index is not None and wanted.k <= ann_index.MAX_HITS:
                recall = index.facts.recall
            return found, self._rows_of(connection, found), recall

        try:
            is_large = len(matrix) >= ann_index.MIN_ROWS
            if is_large and chosen is None and not wanted.exact:
                index = self._followed_index(connection, matrix)
            return attempt(index)
        except DamagedCopyError:  # of the copy, so it is made anew
            self._matrix = matrix.rebuilt(connection)
            return attempt(None)

    def _kept(
        self,
        find: Callable[[int, Vectors], list[Found]],
        queries: Vectors,
        wanted: Wanted,
    ) -> list[Found]:
        """For each query what is found and may stay."""
        if wanted.min_score is None and wanted.distinct is None and not wanted.exclude:
            return find(wanted.k, queries)  # all queries at once
        return [
            kept_hits(
                lambda k, row=row: find(k, row[None])[0],  # type: ignore[misc]
                self._matrix.take,
                wanted.k,
                min_score=wanted.min_score,
                distinct=wanted.distinct,
                exclude=wanted.exclude,
            )
            for row in queries
        ]

    def _chosen(
        self, connection: Connection, conditions: Collection[Condition]
    ) -> Rows:
        """The ids that fit conditions, among rows that were all seen whole once."""
        # Damaged metadata would hide an image. Without a snapshot, the matrix was just
        # read from the rows.
        if len(self._matrix.base.ids) and not self._has_seen_rows:
            for _ in row_checks.embeddings(connection, "ORDER BY id"):
                pass
        self._has_seen_rows = True
        return statements.ids_where(connection, conditions)

    def _followed_index(
        self, connection: Connection, matrix: Matrix
    ) -> AnnIndex | None:
        facts = index_file.believed_facts(self._path, connection, matrix.dim)
        if facts is None:
            self._facts = self._index = None
        elif facts != self._facts:  # to see whether a file is whole, all of it is read
            self._facts = facts
            self._index = ann_index.load(self._path, connection, facts)
        if self._index is not None:
            self._index = self._index.followed(connection, matrix)
        return self._index

    def _rows_of(self, connection: Connection, found: list[Found]) -> dict[int, Row]:
        """The rows of what was found, which have to hold what was searched.

        Raises:
            DamagedCopyError: If they do not.
            Damage: If a row is damaged.
        """
        ids = sorted({int(id) for some, _ in found for id in some})
        details = statements.details(connection, ids, self._dim)
        for id in ids:
            if id not in details:
                raise DamagedCopyError(f"image {id} is damaged: {_DISAGREE}")
        if ids:
            searched = self._matrix.take(np.array(ids))
            stored = np.stack([details[id][1] for id in ids])
            differs = (searched != stored).any(axis=1)
            if differs.any():
                id = ids[int(differs.argmax())]
                raise DamagedCopyError(f"image {id} is damaged: {_DISAGREE}")
        return {id: row for id, (row, _) in details.items()}

    def _hits(
        self, found: list[Found], rows: dict[int, Row], shown: Callable[[str], str]
    ) -> list[list[Hit]]:
        """The hits, with what their rows say of them."""
        said = {
            id: (
                shown(row.path.decode()),
                json.loads(row.metadata.decode()),
                row.probabilities(self._classes),
            )
            for id, row in rows.items()
        }
        return [
            [
                Hit(id, score, *said[id])
                for id, score in zip(some.tolist(), scores.tolist(), strict=True)
            ]
            for some, scores in found
        ]
