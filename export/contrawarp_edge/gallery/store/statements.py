"""Statements on the images of a gallery; those on their paths are in ``paths``."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

import numpy as np

from contrawarp_edge.core.errors import Damage, InputError
from contrawarp_edge.gallery.conditions import Condition
from contrawarp_edge.gallery.store import row_checks
from contrawarp_edge.gallery.store.row_checks import Row, row_damage
from contrawarp_edge.search.vectors import Rows, Vectors

_FETCH = 4096
_OF_THESE = "WHERE id IN (SELECT value FROM json_each(?))"

# A row whose embedding stays the same was not embedded again: only what is said of it
# changes, and copies of its embedding hold.
_UPSERT = """
INSERT INTO images
(path, sha256, embedding, metadata, added, revision, expression, scores)
VALUES (
    :path, :sha256, :embedding, coalesce(:metadata, '{}'), :added, :revision,
    :expression, :scores
)
ON CONFLICT (path) DO UPDATE SET
    expression = :expression, scores = :scores,
    sha256 = :sha256, embedding = :embedding, metadata = coalesce(:metadata, metadata),
    added = iif(embedding = :embedding, added, :added),
    revision = iif(embedding = :embedding, revision, :revision)
"""


def upsert(connection: sqlite3.Connection, row: Mapping[str, Any]) -> int:
    """Writes one image, a new one or over the one with its path; returns its id.

    Raises:
        Damage: If the row with its path is damaged and its metadata would be kept.
    """
    if row["metadata"] is None:  # what is kept must not get a checksum unseen
        row_checks.select(connection, "WHERE path = ?", (row["path"],))
    connection.execute(_UPSERT, row)
    (written,) = row_checks.unchecked(connection, "WHERE path = ?", (row["path"],))
    connection.execute(
        "UPDATE images SET checksum = ? WHERE id = ?",
        (row_checks.checksum(written), written.id),
    )
    return written.id


def next_revision(connection: sqlite3.Connection) -> int:
    """Counts a write transaction, inside it, and returns its number."""
    connection.execute("INSERT INTO history (token) VALUES (randomblob(16))")
    (number,) = connection.execute("SELECT last_insert_rowid()").fetchone()
    return int(number)


def revision(connection: sqlite3.Connection) -> int:
    """The number of the last write transaction.

    Raises:
        Damage: If there is none.
    """
    (number,) = connection.execute("SELECT max(revision) FROM history").fetchone()
    if not isinstance(number, int):
        raise Damage("its history is damaged")
    return number


def token(connection: sqlite3.Connection, revision: int) -> bytes | None:
    """The random mark of a write transaction, None if it is not of this gallery.

    Copies of a gallery share the marks up to the moment when they were parted, so
    whoever kept a mark can tell whether what was read then still belongs here.
    """
    row = connection.execute(
        "SELECT CAST(token AS BLOB) FROM history WHERE revision = ?", (revision,)
    ).fetchone()
    return None if row is None else row[0]


def count(connection: sqlite3.Connection, since: int = -1) -> int:
    """How many images there are, or were embedded after a revision."""
    query = "SELECT count(*) FROM images"
    if since >= 0:
        query += f" WHERE revision > {since:d}"
    (number,) = connection.execute(query).fetchone()
    return int(number)


def all_ids(connection: sqlite3.Connection) -> Rows:
    """The ascending ids of all images."""
    # Unordered, SQLite answers this from its small index, not from the big table.
    return _ascending(connection.execute("SELECT id FROM images"))


def page_of_paths(
    connection: sqlite3.Connection, prefix: str, after: str
) -> list[tuple[int, str, str]]:
    """Id, stored path and hash of some images by path, beginning after a path.

    Raises:
        Damage: If a row is damaged.
    """
    rows = row_checks.select(
        connection,
        "WHERE path >= ? AND path > ? AND path < ? ORDER BY path LIMIT 4096",
        # Every text comes before every blob.
        (prefix, after, prefix + "\U0010ffff" if prefix else b""),
    )
    last = after.encode()
    for row in rows:
        if row.path <= last:
            raise row_damage(row.id, row.path, "it comes after a later path")
        last = row.path
    return [(row.id, row.path.decode(), row.sha256.decode()) for row in rows]


def can_be_id(id: int) -> bool:
    """Whether SQLite can look for a number."""
    return -(1 << 63) <= int(id) < 1 << 63


def has_id(connection: sqlite3.Connection, id: int) -> bool:
    """Whether there is an image with an id, be it damaged or not."""
    if not can_be_id(id):
        return False
    query = "SELECT 1 FROM images WHERE id = ?"
    return connection.execute(query, (int(id),)).fetchone() is not None


def has_path(connection: sqlite3.Connection, path: str) -> bool:
    """Whether there is an image with a stored path."""
    query = "SELECT 1 FROM images WHERE path = ?"
    return connection.execute(query, (path,)).fetchone() is not None


def ids_since(connection: sqlite3.Connection, revision: int) -> Rows:
    """The ascending ids of images embedded after a revision."""
    return _ascending(
        connection.execute("SELECT id FROM images WHERE revision > ?", (revision,))
    )


def ids_where(
    connection: sqlite3.Connection, conditions: Collection[Condition]
) -> Rows:
    """The ascending ids of images that fit all of some conditions.

    Raises:
        InputError: If there is no condition.
    """
    if not conditions:
        raise InputError("name a condition on the metadata, such as person=anna")
    tests, values = zip(*(condition.to_sql() for condition in conditions), strict=True)
    return _ascending(
        connection.execute(
            f"SELECT id FROM images WHERE {' AND '.join(tests)}",
            [value for some in values for value in some],
        )
    )


def expressions(connection: sqlite3.Connection) -> dict[str, int]:
    """How many images each class is the most probable one of, those without left out.

    Raises:
        Damage: If a name is no text any more.
    """
    query = (
        "SELECT CAST(expression AS BLOB), count(*) FROM images GROUP BY expression "
        "HAVING expression != '' ORDER BY count(*) DESC, expression"
    )
    try:
        return {name.decode(): count for name, count in connection.execute(query)}
    except UnicodeDecodeError as error:
        raise Damage("is damaged: what was recognised is unreadable") from error


def check_count(found: int, counted: int) -> None:
    """Compares how many rows the table holds with what an index of it says.

    Raises:
        Damage: If they differ.
    """
    if found != counted:
        raise Damage(
            f"is damaged: it holds {counted} images, of which {found} can be found"
        )


def _ascending(found: sqlite3.Cursor) -> Rows:
    ids = np.sort(np.fromiter((row[0] for row in found), np.int64))
    if (np.diff(ids) <= 0).any():
        raise Damage("an index of it is damaged: it names an image twice")
    return ids


def embeddings_since(
    connection: sqlite3.Connection, revision: int, dim: int
) -> Iterator[tuple[Rows, Vectors]]:
    """Reads what was embedded after a revision, a few thousand rows at a time.

    Args:
        connection: To the gallery, inside a transaction.
        revision: The revision; -1 for all rows.
        dim: Length D of the embeddings.

    Yields:
        Ids, and embeddings ``(n, D)``, 4096 at a time but for the last. All rows come
        by ascending id, later ones in any order.

    Raises:
        Damage: If a row is damaged.
    """
    if revision < 0:  # straight through the table
        found = row_checks.embeddings(connection, "ORDER BY id")
    else:
        clause = "WHERE revision > ?"
        found = row_checks.embeddings(connection, clause, (revision,))
    after = 0
    while rows := list(islice(found, _FETCH)):
        ids = [id for id, _ in rows]
        if revision < 0:
            row_checks.check_order(ids, after)
            after = ids[-1]
        blobs = [blob for _, blob in rows]
        yield np.array(ids, np.int64), row_checks.vectors(ids, blobs, dim)


def check_rows(connection: sqlite3.Connection, ids: Collection[int]) -> None:
    """Checks images before something of them is changed.

    Raises:
        Damage: If one is damaged.
    """
    for some in _chunks(ids):
        row_checks.select(connection, _OF_THESE, (some,))


def seal_rows(connection: sqlite3.Connection, ids: Collection[int]) -> None:
    """Writes the checksums of images of which something was changed."""
    for some in _chunks(ids):
        sums = [
            (row_checks.checksum(row), row.id)
            for row in row_checks.unchecked(connection, _OF_THESE, (some,))
        ]
        connection.executemany("UPDATE images SET checksum = ? WHERE id = ?", sums)


def _chunks(ids: Collection[int]) -> Iterator[str]:
    rest = iter(ids)
    while some := list(islice(rest, _FETCH)):
        yield json.dumps(some)


def delete(connection: sqlite3.Connection, ids: Collection[int]) -> int:
    """Deletes images, inside a transaction, and returns how many there were."""
    cursor = connection.execute(
        f"DELETE FROM images {_OF_THESE}",
        (json.dumps(list(ids)),),
    )
    return cursor.rowcount


def stored_paths(
    connection: sqlite3.Connection, clause: str = "", values: Sequence[Any] = ()
) -> Iterator[tuple[int, str]]:
    """Yields id and stored path of the images that an SQL clause picks, unchecked."""
    # As bytes, because damaged text may be none.
    query = f"SELECT id, CAST(path AS BLOB) FROM images {clause}"
    for id, path in connection.execute(query, values):
        if path is not None:
            yield id, path.decode(errors="replace")


def details(
    connection: sqlite3.Connection, ids: Collection[int], dim: int
) -> dict[int, tuple[Row, Vectors]]:
    """Rows and embeddings of images by id; those that are there.

    Raises:
        Damage: If a row is damaged.
    """
    rows = row_checks.select(
        connection,
        _OF_THESE,
        (json.dumps(list(ids)),),
    )
    blobs = [row.embedding for row in rows]
    vectors = row_checks.vectors([row.id for row in rows], blobs, dim)
    return {row.id: (row, vector) for row, vector in zip(rows, vectors, strict=True)}
