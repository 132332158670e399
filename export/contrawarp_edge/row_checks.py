"""Rows of a gallery's table as they are read, and whether they are whole.

Each row carries a checksum of all that it holds. It is compared whenever the row is
read, so that what a disk or a memory changed is never taken for what was stored.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable, Iterator, Sequence
from sqlite3 import Connection
from typing import Any, NamedTuple

import numpy as np

from contrawarp_edge.damage import row_damage
from contrawarp_edge.nearest import Vectors

UNCHECKED = -(1 << 62)
"""In place of the checksum, where a gallery of an earlier version is only read."""

# As bytes, whatever damage made of them: text that is no text would end the reading.
_COLUMNS = (
    "id, CAST(revision AS INTEGER), CAST(path AS BLOB), CAST(sha256 AS BLOB), "
    "CAST(metadata AS BLOB), CAST(added AS BLOB), CAST(embedding AS BLOB), "
    "CAST(checksum AS INTEGER)"
)
_FETCH = 4096
# Of the square of a length: what float32 leaves of a unit vector is much nearer.
_TOLERANCE = 1e-3
_NO_UNIT = "its embedding is no unit vector"


class Row(NamedTuple):
    """A row as the table holds it; None where damage left nothing."""

    id: int
    revision: int
    path: bytes
    sha256: bytes
    metadata: bytes
    added: bytes
    embedding: bytes
    checksum: int

    def vector(self) -> Vectors:
        """The embedding, float32 ``(D,)``."""
        return np.frombuffer(self.embedding, "<f4").astype(np.float32)


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


def blocks(
    connection: Connection, clause: str, values: Sequence[Any] = ()
) -> Iterator[list[Row]]:
    """Yields the rows that an SQL clause picks, 4096 at a time, as they are."""
    found = _found(connection, clause, values)
    while rows := found.fetchmany(_FETCH):
        yield [Row._make(row) for row in rows]


def _found(connection: Connection, clause: str, values: Sequence[Any]) -> Any:
    return connection.execute(f"SELECT {_COLUMNS} FROM images {clause}", values)


def checksum(row: Row) -> int:
    """CRC-32 of all that a row holds."""
    lengths = [len(part) for part in row[2:6]]
    head = b"%d %d %d %d %d %d " % (row.id, row.revision, *lengths)
    return zlib.crc32(b"".join((head, *row[2:7])))


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
        return _NO_UNIT
    return None


def _is_readable(row: Row) -> bool:
    try:
        for part in row[2:6]:
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


def check_order(rows: Iterable[Row], after: int) -> None:
    """Raises damage if rows do not come by ascending id, beginning after an id."""
    for row in rows:
        if row.id <= after:
            raise row_damage(row.id, row.path, f"it comes after image {after}")
        after = row.id


def vectors(rows: Sequence[Row], dim: int) -> Vectors:
    """The embeddings of rows, float32 ``(n, dim)``.

    Raises:
        Damage: If one is of another length than ``dim``, or than 1.
    """
    for row in rows:
        if len(row.embedding) != 4 * dim:
            raise row_damage(row.id, row.path, _NO_UNIT)
    joined = b"".join(row.embedding for row in rows)
    found = np.frombuffer(joined, "<f4").astype(np.float32, copy=False)
    found = found.reshape(-1, dim)
    if not _are_units(found):  # all at once is much quicker than one by one
        row = next(row for row in rows if vector_problem(row, dim))
        raise row_damage(row.id, row.path, _NO_UNIT)
    return found


def vector_problem(row: Row, dim: int) -> str | None:
    """What is wrong with a row's embedding, None if it is a unit vector ``(dim,)``."""
    is_right = len(row.embedding) == 4 * dim and _are_units(row.vector())
    return None if is_right else _NO_UNIT


def add_checksums(connection: Connection) -> None:
    """Gives the rows of an earlier version their column of checksums.

    Rows that are damaged already, as far as that can be told, get none that is right.
    """
    connection.execute(
        "ALTER TABLE images ADD COLUMN checksum INTEGER NOT NULL DEFAULT -1"
    )
    last, sums = 0, []
    for rows in blocks(connection, "ORDER BY id"):
        for row in rows:
            if row.id > last and problem(row, is_new=True) is None:
                sums.append((checksum(row), row.id))
            last = row.id
    connection.executemany("UPDATE images SET checksum = ? WHERE id = ?", sums)
