"""What a gallery searches with: its matrix, perhaps an index, and a check of hits."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from sqlite3 import Connection

import numpy as np

from contrawarp_edge import ann, gallery_sql
from contrawarp_edge.ann import AnnIndex
from contrawarp_edge.filters import Condition
from contrawarp_edge.matrix import Matrix
from contrawarp_edge.nearest import Vectors, exact_scores
from contrawarp_edge.records import Hit
from contrawarp_edge.refine import Found, kept_hits

# float32 products of unit vectors differ by less, whatever the order of summation.
_SAME_SCORE = 1e-5


class Searcher:
    """Searches one gallery and keeps between searches what makes that quick.

    Args:
        path: The gallery file.
        dim: Length D of its embeddings.

    Attributes:
        last_recall: The measured recall of the index that the last search used, None
            if it was exact.
    """

    def __init__(self, path: Path, dim: int) -> None:
        self._path = path
        self._matrix = Matrix.empty(path, dim)
        self._index: AnnIndex | None = None
        self.last_recall: float | None = None

    def matrix(self, connection: Connection) -> Matrix:
        """All embeddings as they are now; the connection is inside a transaction."""
        self._matrix = self._matrix.refreshed(connection)
        return self._matrix

    def search(
        self,
        connection: Connection,
        queries: Vectors,
        k: int,
        conditions: Collection[Condition],
        *,
        min_score: float | None,
        distinct: float | None,
        exclude: Collection[int],
        exact: bool,
    ) -> list[list[Hit]]:
        """Finds hits for unit queries ``(Q, D)``; see ``Gallery.search``."""
        matrix = self.matrix(connection)
        chosen = gallery_sql.ids_where(connection, conditions) if conditions else None
        index = None
        if chosen is None and not exact and len(matrix) >= ann.MIN_ROWS:
            index = self._followed_index(connection, matrix)

        def find(wanted: int, rows: Vectors) -> list[Found]:
            if index is not None and wanted <= ann.MAX_HITS:
                return index.top_k(self._matrix, rows, wanted)
            return self._matrix.top_k(rows, wanted, chosen)

        def found_in(rows: Vectors) -> list[Found]:
            if min_score is None and distinct is None and not exclude:
                return find(k, rows)
            return [
                kept_hits(
                    lambda wanted, row=row: find(wanted, row[None])[0],  # type: ignore[misc]
                    self._matrix.take,
                    k,
                    min_score=min_score,
                    distinct=distinct,
                    exclude=exclude,
                )
                for row in rows
            ]

        hits = self._checked(connection, queries, found_in(queries))
        if (
            hits is None
        ):  # the snapshot was damaged in a way that its size does not show
            self._matrix, index = matrix.rebuilt(connection), None
            hits = self._checked(connection, queries, found_in(queries))
        assert hits is not None
        self.last_recall = index.facts.recall if index and k <= ann.MAX_HITS else None
        return hits

    def _followed_index(
        self, connection: Connection, matrix: Matrix
    ) -> AnnIndex | None:
        if self._index is None or not self._index.is_current(self._path):
            self._index = ann.load(self._path, connection, matrix.dim)
        if self._index is not None:
            self._index = self._index.followed(connection, matrix)
        return self._index

    def _checked(
        self, connection: Connection, queries: Vectors, found: list[Found]
    ) -> list[list[Hit]] | None:
        """The hits, or None if a score is not that of the stored embedding."""
        ids = {int(id) for some, _ in found for id in some}
        details = gallery_sql.details(connection, ids)
        result = []
        for query, (some, scores) in zip(queries, found, strict=True):
            if not all(int(id) in details for id in some):
                return None
            stored = _stack([details[int(id)][2] for id in some], len(query))
            if (np.abs(exact_scores(stored, query) - scores) > _SAME_SCORE).any():
                return None
            result.append(
                [
                    Hit(int(id), float(score), *details[int(id)][:2])
                    for id, score in zip(some, scores, strict=True)
                ]
            )
        return result


def _stack(blobs: list[bytes], dim: int) -> Vectors:
    return np.frombuffer(b"".join(blobs), "<f4").reshape(-1, dim).astype(np.float32)
