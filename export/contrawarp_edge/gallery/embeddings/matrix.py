"""The embeddings of a gallery for searching: a mapped snapshot and what came since."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from contrawarp_edge.gallery.embeddings import snapshot
from contrawarp_edge.gallery.embeddings.snapshot import DamagedCopyError, Snapshot
from contrawarp_edge.gallery.store import statements
from contrawarp_edge.search.nearest import merge, top_k
from contrawarp_edge.search.vectors import Mask, Rows, Scores, Vectors

MIN_SNAPSHOT_ROWS = 10_000
"""Smaller galleries are read into memory: a file would hardly be quicker."""

# A new snapshot is written when this share of the rows is not, or no longer, in it.
_MAX_CHANGED = 0.1


@dataclass(frozen=True)
class Matrix:
    """All embeddings at one revision of a gallery.

    Attributes:
        path: The gallery file.
        revision: The revision; -1 before anything was read.
        base: The mapped snapshot, of this revision or an earlier one.
        alive: bool ``(len(base.ids),)``: which rows of the snapshot still hold.
        ids: int64 ``(N,)``, ascending: the rows that the snapshot does not hold.
        vectors: float32 ``(N, D)``, row i for ``ids[i]``.
    """

    path: Path
    revision: int
    base: Snapshot
    alive: Mask
    ids: Rows
    vectors: Vectors

    @classmethod
    def empty(cls, path: Path, dim: int) -> Matrix:
        """A matrix that knows no row yet."""
        ids, vectors = np.empty(0, np.int64), np.empty((0, dim), np.float32)
        return cls(path, -1, Snapshot.empty(-1, dim), ids > 0, ids, vectors)

    @property
    def dim(self) -> int:
        """Length D of the embeddings."""
        return int(self.vectors.shape[1])

    def __len__(self) -> int:
        return int(np.count_nonzero(self.alive)) + len(self.ids)

    def refreshed(self, connection: sqlite3.Connection) -> Matrix:
        """The matrix of the gallery's present state; rows not touched are kept.

        Args:
            connection: Inside a transaction, so that all its answers agree.
        """
        if statements.revision(connection) == self.revision:
            return self
        total = statements.count(connection)
        matrix = self
        if self._is_far_behind(connection, total):
            found = snapshot.load(self.path, connection, self.dim)
            if found is not None and found.revision > self.base.revision:
                matrix = self._based_on(found)
        if matrix._is_far_behind(connection, total):
            return self.rebuilt(connection)
        return matrix._followed(connection, total)

    def checked(self, connection: sqlite3.Connection) -> Matrix:
        """The matrix, or one made anew, after every row was compared with its sum.

        Args:
            connection: Inside the transaction in which the matrix was refreshed.

        Raises:
            Damage: If a row of the gallery is damaged.
        """
        try:
            self.base.check()
        except DamagedCopyError:
            anew = self.rebuilt(connection)
            anew.base.check()
            return anew
        return self

    def rebuilt(self, connection: sqlite3.Connection) -> Matrix:
        """The matrix of the present state, with nothing taken from earlier copies."""
        total = statements.count(connection)
        matrix = Matrix.empty(self.path, self.dim)
        if total >= MIN_SNAPSHOT_ROWS:
            written = snapshot.write(self.path, connection, self.dim)
            matrix = matrix if written is None else self._based_on(written)
        return matrix._followed(connection, total)

    def top_k(
        self, queries: Vectors, k: int, chosen: Rows | None = None
    ) -> list[tuple[Rows, Scores]]:
        """Finds for each query the k most similar rows, exactly.

        Args:
            queries: float32 ``(Q, D)``, rows of unit length.
            k: Number of rows wanted; fewer are returned if there are fewer.
            chosen: Ascending ids to search among; all if None.

        Returns:
            For each query ids and scores in [-1, 1], best first, equal scores by
            ascending id.

        Raises:
            DamagedCopyError: If the snapshot is damaged there.
        """
        result = [(np.empty(0, np.int64), np.empty(0)) for _ in queries]
        for ids, vectors, rows in self._parts(chosen):
            for query, (found, scores) in enumerate(top_k(vectors, queries, k, rows)):
                result[query] = merge(result[query], (ids[found], scores), k)
        return result

    def contains(self, ids: Rows) -> Mask:
        """Which of some ids there are."""
        place, here = _find(self.base.ids, ids)
        here[here] = self.alive[place[here]]
        return here | _find(self.ids, ids)[1]

    def take(self, ids: Rows) -> Vectors:
        """The embeddings of some ids, all of which exist, as a copy.

        Raises:
            DamagedCopyError: If the snapshot is damaged there.
        """
        result = np.empty((len(ids), self.dim), np.float32)
        # What is in both is up to date in the second.
        place, here = _find(self.base.ids, ids)
        self.base.check(place[here])
        result[here] = self.base.vectors[place[here]]
        place, here = _find(self.ids, ids)
        result[here] = self.vectors[place[here]]
        return result

    def all_ids(self) -> Rows:
        """The ids of all rows, ascending."""
        return np.sort(np.concatenate([self.base.ids[self.alive], self.ids]))

    def blocks(self, rows: int) -> Iterator[tuple[Rows, Vectors]]:
        """Yields ids and embeddings of all rows, at most ``rows`` at a time by id."""
        ids = self.all_ids()
        for start in range(0, len(ids), rows):
            part = ids[start : start + rows]
            yield part, self.take(part)

    def _parts(
        self, chosen: Rows | None
    ) -> Iterator[tuple[Rows, Vectors, Rows | None]]:
        """Both parts: ids, embeddings, and the positions that count, None for all."""
        for ids, vectors, alive in (
            (self.base.ids, self.base.vectors, self.alive),
            (self.ids, self.vectors, None),
        ):
            if chosen is not None:
                counts = np.isin(ids, chosen, assume_unique=True)
                counts = counts if alive is None else counts & alive
                rows = np.flatnonzero(counts)
            elif alive is None or alive.all():
                rows = None
            else:
                rows = np.flatnonzero(alive)
            if alive is not None:
                self.base.check(rows)
            if len(ids):
                yield ids, vectors, rows

    def _is_far_behind(self, connection: sqlite3.Connection, total: int) -> bool:
        if total < MIN_SNAPSHOT_ROWS:
            return False
        outside = statements.count(connection, since=self.base.revision)
        gone = len(self.base.ids) - (total - outside)
        return bool(max(outside, gone) > _MAX_CHANGED * total)

    def _based_on(self, base: Snapshot) -> Matrix:
        nothing = Matrix.empty(self.path, self.dim)
        alive = np.ones(len(base.ids), bool)
        return Matrix(
            self.path, base.revision, base, alive, nothing.ids, nothing.vectors
        )

    def _followed(self, connection: sqlite3.Connection, total: int) -> Matrix:
        ids, vectors = _changed(connection, self.revision, self.dim)
        alive = self.alive
        if len(ids):
            alive = alive & ~np.isin(self.base.ids, ids, assume_unique=True)
            kept = ~np.isin(self.ids, ids, assume_unique=True)
            ids = np.concatenate([self.ids[kept], ids])
            vectors = np.concatenate([self.vectors[kept], vectors])
            order = np.argsort(ids)
            ids, vectors = ids[order], vectors[order]
        else:
            ids, vectors = self.ids, self.vectors
        if np.count_nonzero(alive) + len(ids) != total:  # some were deleted
            present = statements.all_ids(connection)
            if not np.isin(self.base.ids, present, assume_unique=True).all():
                # What was deleted is off the disk only once nobody maps it any more.
                return self.rebuilt(connection)
            kept = np.isin(ids, present, assume_unique=True)
            ids, vectors = ids[kept], vectors[kept]
        revision = statements.revision(connection)
        return Matrix(self.path, revision, self.base, alive, ids, vectors)


def _find(ascending: Rows, ids: Rows) -> tuple[Rows, Mask]:
    """Positions of ids, and which of them are there at all."""
    if not len(ascending):
        return np.zeros(len(ids), np.int64), np.zeros(len(ids), bool)
    place = np.minimum(np.searchsorted(ascending, ids), len(ascending) - 1)
    return place, ascending[place] == ids


def _changed(
    connection: sqlite3.Connection, revision: int, dim: int
) -> tuple[Rows, Vectors]:
    parts = [(np.empty(0, np.int64), np.empty((0, dim), np.float32))]
    parts += statements.embeddings_since(connection, revision, dim)
    ids = np.concatenate([some for some, _ in parts])
    statements.check_count(len(ids), statements.count(connection, since=revision))
    return ids, np.concatenate([vectors for _, vectors in parts])
