"""The embeddings of a gallery as one matrix, which follows the file's changes."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

import numpy as np

from contrawarp_edge import gallery_sql
from contrawarp_edge.nearest import Rows, Vectors

_FETCH = 4096


@dataclass(frozen=True)
class Matrix:
    """A copy of all embeddings at one revision of the gallery.

    Attributes:
        revision: The revision of the gallery that was copied; -1 for none.
        ids: int64 ``(N,)``, ascending.
        vectors: float32 ``(N, D)``, row i for ``ids[i]``.
    """

    revision: int
    ids: Rows
    vectors: Vectors

    @classmethod
    def empty(cls, dim: int) -> Matrix:
        """A matrix that knows no row yet."""
        return cls(-1, np.empty(0, np.int64), np.empty((0, dim), np.float32))

    def refreshed(self, connection: sqlite3.Connection) -> Matrix:
        """The matrix of the gallery's present state; rows not touched are kept.

        Args:
            connection: Inside a transaction, so that all its answers agree.
        """
        current = gallery_sql.revision(connection)
        if current == self.revision:
            return self
        # Unordered, SQLite answers this from its small index, not from the big table.
        found = connection.execute("SELECT id FROM images").fetchall()
        ids = np.sort(np.array(found, np.int64).reshape(-1))
        vectors = np.empty((len(ids), self.vectors.shape[1]), np.float32)
        kept = np.isin(self.ids, ids, assume_unique=True)
        vectors[np.searchsorted(ids, self.ids[kept])] = self.vectors[kept]
        changed = connection.execute(
            "SELECT id, embedding FROM images WHERE revision > ?", (self.revision,)
        )
        while rows := changed.fetchmany(_FETCH):
            places = np.searchsorted(ids, [row[0] for row in rows])
            blob = b"".join(row[1] for row in rows)
            vectors[places] = np.frombuffer(blob, "<f4").reshape(len(rows), -1)
        return Matrix(current, ids, vectors)
