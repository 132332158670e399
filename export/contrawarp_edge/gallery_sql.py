"""The statements and transactions of a gallery."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from contrawarp_edge.errors import InputError
from contrawarp_edge.filters import Condition

# A row whose embedding stays the same was not embedded again: only what is said of it
# changes, and copies of its embedding hold.
_UPSERT = """
INSERT INTO images (path, sha256, embedding, metadata, added, revision)
VALUES (:path, :sha256, :embedding, coalesce(:metadata, '{}'), :added, :revision)
ON CONFLICT (path) DO UPDATE SET
    sha256 = :sha256, embedding = :embedding, metadata = coalesce(:metadata, metadata),
    added = iif(embedding = :embedding, added, :added),
    revision = iif(embedding = :embedding, revision, :revision)
"""


def upsert(connection: sqlite3.Connection, row: Mapping[str, Any]) -> int:
    """Writes one image, a new one or over the one with its path; returns its id."""
    connection.execute(_UPSERT, row)
    query = "SELECT id FROM images WHERE path = :path"
    (id,) = connection.execute(query, {"path": row["path"]}).fetchone()
    return int(id)


def next_revision(connection: sqlite3.Connection) -> int:
    """Counts a write transaction, inside it, and returns its number."""
    cursor = connection.execute("INSERT INTO history (token) VALUES (randomblob(16))")
    assert cursor.lastrowid is not None
    return cursor.lastrowid


def revision(connection: sqlite3.Connection) -> int:
    """The number of the last write transaction."""
    (number,) = connection.execute("SELECT max(revision) FROM history").fetchone()
    return int(number)


def token(connection: sqlite3.Connection, revision: int) -> bytes | None:
    """The random mark of a write transaction, None if it is not of this gallery.

    Copies of a gallery share the marks up to the moment when they were parted, so
    whoever kept a mark can tell whether what was read then still belongs here.
    """
    row = connection.execute(
        "SELECT token FROM history WHERE revision = ?", (revision,)
    ).fetchone()
    return None if row is None else bytes(row[0])


def count(connection: sqlite3.Connection, since: int = -1) -> int:
    """How many images there are, or were embedded after a revision."""
    query = "SELECT count(*) FROM images"
    if since >= 0:
        query += f" WHERE revision > {since:d}"
    (number,) = connection.execute(query).fetchone()
    return int(number)


def all_ids(connection: sqlite3.Connection) -> npt.NDArray[np.int64]:
    """The ascending ids of all images."""
    # Unordered, SQLite answers this from its small index, not from the big table.
    found = connection.execute("SELECT id FROM images")
    return np.sort(np.fromiter((row[0] for row in found), np.int64))


def page_of_paths(
    connection: sqlite3.Connection, prefix: str, after: str
) -> list[tuple[int, str, str]]:
    """Id, path and hash of some images by path, beginning after a path."""
    found = connection.execute(
        "SELECT id, path, sha256 FROM images WHERE path >= ? AND path > ? AND path < ? "
        "ORDER BY path LIMIT 4096",
        (prefix, after, prefix + "\U0010ffff"),
    )
    return found.fetchall()


def ids_since(connection: sqlite3.Connection, revision: int) -> npt.NDArray[np.int64]:
    """The ascending ids of images embedded after a revision."""
    found = connection.execute("SELECT id FROM images WHERE revision > ?", (revision,))
    return np.sort(np.fromiter((row[0] for row in found), np.int64))


def ids_where(
    connection: sqlite3.Connection, conditions: Collection[Condition]
) -> npt.NDArray[np.int64]:
    """The ascending ids of images that fit all of some conditions.

    Raises:
        InputError: If there is no condition.
    """
    if not conditions:
        raise InputError("name a condition on the metadata, such as person=anna")
    tests, values = zip(*(condition.to_sql() for condition in conditions), strict=True)
    found = connection.execute(
        f"SELECT id FROM images WHERE {' AND '.join(tests)} ORDER BY id",
        [value for some in values for value in some],
    )
    return np.fromiter((row[0] for row in found), np.int64)


def delete(connection: sqlite3.Connection, ids: Collection[int]) -> int:
    """Deletes images, inside a transaction, and returns how many there were."""
    cursor = connection.execute(
        "DELETE FROM images WHERE id IN (SELECT value FROM json_each(?))",
        (json.dumps(list(ids)),),
    )
    return cursor.rowcount


def is_erasing(connection: sqlite3.Connection) -> bool:
    """Whether something was deleted that is still to be erased everywhere."""
    query = "SELECT 1 FROM meta WHERE key = 'erasing'"
    return connection.execute(query).fetchone() is not None


def set_erasing(connection: sqlite3.Connection) -> None:
    """Remembers that something is to be erased, until ``set_erased``."""
    connection.execute("INSERT OR REPLACE INTO meta VALUES ('erasing', 'yes')")


def set_erased(connection: sqlite3.Connection) -> None:
    """Remembers that nothing is left to be erased."""
    connection.execute("DELETE FROM meta WHERE key = 'erasing'")


def all_paths(connection: sqlite3.Connection) -> Iterator[str]:
    """The paths of all images, in any order."""
    return (row[0] for row in connection.execute("SELECT path FROM images"))


def details(
    connection: sqlite3.Connection, ids: Collection[int]
) -> dict[int, tuple[str, dict[str, Any], bytes]]:
    """Path, metadata and embedding of images by id."""
    found = connection.execute(
        "SELECT id, path, metadata, embedding FROM images "
        "WHERE id IN (SELECT value FROM json_each(?))",
        (json.dumps(list(ids)),),
    )
    return {id: (path, json.loads(text), blob) for id, path, text, blob in found}


def is_text(path: str) -> bool:
    """Whether SQLite can hold a path: names of files may be no valid UTF-8."""
    try:
        path.encode()
    except UnicodeEncodeError:
        return False
    return True


@contextmanager
def sqlite_errors(path: Path) -> Iterator[None]:
    """Turns errors of SQLite, such as a full disk, into ones that name the file."""
    try:
        yield
    except InputError:
        raise
    except sqlite3.Error as error:
        raise InputError(f"{path}: {error}") from error
    except (
        ValueError,
        TypeError,
        KeyError,
        AttributeError,
    ) as error:  # of what is made from a damaged row
        raise InputError(f"{path}: damaged ({error})") from error


@contextmanager
def transaction(connection: sqlite3.Connection, kind: str) -> Iterator[None]:
    """Runs a block in one transaction, rolled back if the block raises.

    Args:
        connection: In autocommit mode.
        kind: ``"DEFERRED"`` for reading one state, ``"IMMEDIATE"`` for writing.
    """
    connection.execute(f"BEGIN {kind}")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:  # SQLite ends it itself after some errors
            connection.execute("ROLLBACK")
        raise
