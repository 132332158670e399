"""Rows of a gallery's table as they are read, and whether they are whole.

Each row carries a checksum of all that it holds. It is compared whenever the row is
read, so that what a disk or a memory changed is never taken for what was stored.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable, Iterator, Sequence
from sqlite3 import Connection
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from contrawarp_edge.core.errors import Damage
from contrawarp_edge.search.vectors import Vectors

UNCHECKED = -(1 << 62)
"""In place of the checksum, where a gallery of an earlier version is only read."""

# As bytes, whatever damage made of them: text that is no text would end the reading.
_COLUMNS = (
    "id, CAST(revision AS INTEGER), CAST(path AS BLOB), CAST(sha256 AS BLOB), "
    "CAST(metadata AS BLOB), CAST(added AS BLOB), CAST(embedding AS BLOB), "
    "CAST(expression AS BLOB), CAST(scores AS BLOB), CAST(checksum AS INTEGER)"
)
# Of the square of a length: what float32 leaves of a unit vector is much nearer.
_TOLERANCE = 1e-3

NO_UNIT = "its embedding is no unit vector"
"""What is wrong with a row whose embedding cannot have been stored."""


Values: TypeAlias = tuple[
    int, int, bytes, bytes, bytes, bytes, bytes, bytes, bytes, int
]


class Row(NamedTuple):
    """A row as the table holds it; None where damage left nothing."""

    id: int
    revision: int
    path: bytes
    sha256: bytes
    metadata: bytes
    added: bytes
    embedding: bytes
    expression: bytes
    scores: bytes
    checksum: int

    def vector(self) -> Vectors:
        """The embedding, float32 ``(D,)``."""
        return np.frombuffer(self.embedding, "<f4").astype(np.float32)

    def probabilities(self, classes: Sequence[str]) -> dict[str, float]:
        """Those of a model's classes by name; none if none are stored."""
        if not self.scores:
            return {}
        scores = np.frombuffer(self.scores, "<f4").tolist()
        return dict(zip(classes, scores, strict=False))


def select(connection: Connection, clause: str, values: Sequence[Any]) -> list[Row]:
    """The rows that an SQL clause picks.

    Raises:
        Damage: If one of them is damaged.
    """
    rows = unchecked(connection, clause, values)
    check(rows)
    return rows


def unchecked(connection: Connection, clause: str, values: Sequence[Any]) -> list[Row]:
    """The rows that an SQL clause picks, as they are."""
    return [Row._make(row) for row in _found(connection, clause, values)]


def each(
    connection: Connection, clause: str, values: Sequence[Any] = ()
) -> Iterator[Row]:
    """Yields the rows that an SQL clause picks, as they are."""
    return map(Row._make, _found(connection, clause, values))


def embeddings(
    connection: Connection, clause: str, values: Sequence[Any] = ()
) -> Iterator[tuple[int, bytes]]:
    """Yields id and embedding of the rows that an SQL clause picks.

    Raises:
        Damage: If one of them is damaged.
    """
    for row in _found(connection, clause, values):  # perhaps a million
        if None in row or row[-1] != checksum(row):
            check([Row._make(row)])
        yield row[0], row[6]


def _found(connection: Connection, clause: str, values: Sequence[Any]) -> Any:
    return connection.execute(f"SELECT {_COLUMNS} FROM images {clause}", values)


def checksum(row: Values) -> int:
    """CRC-32 of all that a row holds."""
    id, revision, path, sha256, metadata, added, embedding, label, scores, _ = row
    lengths = len(path), len(sha256), len(metadata), len(added)
    head = b"%d %d %d %d %d %d " % (id, revision, *lengths)
    parts = [head, path, sha256, metadata, added, embedding]
    if label or scores:  # without them, as before version 4
        parts += [b"%d " % len(label), label, scores]
    return zlib.crc32(b"".join(parts))


def problem(row: Row, *, is_new: bool = False) -> str | None:
    """What is wrong with a row, None if it is whole.

    Args:
        row: As it was read.
        is_new: Whether the row has no checksum yet.
    """
    if None in row:
        return "a part of it is missing"
    if not is_new and row.checksum != UNCHECKED:
        return None if row.checksum == checksum(row) else "its checksum does not fit"
    if not _is_readable(row):
        return "its path, hash or metadata cannot be read"
    if len(row.embedding) % 4 or not _are_units(row.vector()):
        return NO_UNIT
    return None


def _is_readable(row: Row) -> bool:
    try:
        for part in (*row[2:6], row.expression):
            part.decode()
        return isinstance(json.loads(row.metadata), dict)
    except ValueError:
        return False


def _are_units(vectors: Vectors) -> bool:
    with np.errstate(over="ignore", invalid="ignore"):
        squares = np.einsum("...i,...i->...", vectors, vectors)
        return bool((np.abs(squares - 1) < _TOLERANCE).all())


def check(rows: Iterable[Row]) -> None:
    """Raises the damage of the first row that has any."""
    for row in rows:
        if (what := problem(row)) is not None:
            raise row_damage(row.id, row.path, what)


def check_order(ids: Iterable[int], after: int) -> None:
    """Raises damage if ids do not ascend from one that came before."""
    for id in ids:
        if id <= after:
            raise row_damage(id, None, f"it comes after image {after}")
        after = id


def vectors(ids: Sequence[int], blobs: Sequence[bytes], dim: int) -> Vectors:
    """The embeddings of rows, float32 ``(n, dim)``.

    Raises:
        Damage: If one is of another length than ``dim``, or than 1.
    """
    if {4 * dim}.issuperset(map(len, blobs)):
        found = np.frombuffer(b"".join(blobs), "<f4").reshape(-1, dim)
        if _are_units(found):  # all at once is much quicker than one by one
            return found.astype(np.float32, copy=False)
    id = next(id for id, blob in zip(ids, blobs, strict=True) if no_unit(blob, dim))
    raise row_damage(id, None, NO_UNIT)


def no_unit(blob: bytes, dim: int) -> bool:
    """Whether an embedding is no unit vector ``(dim,)``."""
    return len(blob) != 4 * dim or not _are_units(np.frombuffer(blob, "<f4"))


def add_checksums(connection: Connection) -> None:
    """Gives the rows of an earlier version their column of checksums.

    Rows that are damaged already, as far as that can be told, get none that is right.
    """
    connection.execute(
        "ALTER TABLE images ADD COLUMN checksum INTEGER NOT NULL DEFAULT -1"
    )
    last, sums = 0, []
    for row in each(connection, "ORDER BY id"):
        if row.id > last and problem(row, is_new=True) is None:
            sums.append((checksum(row), row.id))
        last = row.id
    connection.executemany("UPDATE images SET checksum = ? WHERE id = ?", sums)


def row_damage(id: int, path: bytes | None, what: str) -> Damage:
    """The damage of one image's row.

    Args:
        id: Of the row.
        path: As the row holds it, which helps to find the image.
        what: What is wrong.
    """
    name = f" ({path.decode(errors='replace')})" if path else ""
    return Damage(f"image {id}{name} is damaged: {what}")
