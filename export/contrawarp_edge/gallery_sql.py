"""The statements and transactions of a gallery."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeAlias

from contrawarp_edge.errors import InputError

Scalar: TypeAlias = str | int | float | bool

_UPSERT = """
INSERT INTO images (path, sha256, embedding, metadata, added, revision)
VALUES (:path, :sha256, :embedding, coalesce(:metadata, '{}'), :added, :revision)
ON CONFLICT (path) DO UPDATE SET
    sha256 = :sha256, embedding = :embedding, metadata = coalesce(:metadata, metadata),
    added = :added, revision = :revision
"""


def upsert(connection: sqlite3.Connection, row: Mapping[str, Any]) -> int:
    """Writes one image, a new one or over the one with its path; returns its id."""
    connection.execute(_UPSERT, row)
    query = "SELECT id FROM images WHERE path = :path"
    (id,) = connection.execute(query, {"path": row["path"]}).fetchone()
    return int(id)


def next_revision(connection: sqlite3.Connection) -> int:
    """Counts a write transaction, inside it, and returns its number."""
    connection.execute("UPDATE meta SET value = value + 1 WHERE key = 'revision'")
    return revision(connection)


def revision(connection: sqlite3.Connection) -> int:
    """The number of the last write transaction."""
    query = "SELECT value FROM meta WHERE key = 'revision'"
    return int(connection.execute(query).fetchone()[0])


def ids_where(connection: sqlite3.Connection, where: Mapping[str, Scalar]) -> list[int]:
    """The ascending ids of images whose metadata has all of these values."""
    test = "EXISTS (SELECT 1 FROM json_each(metadata) WHERE key = ? AND atom = ?)"
    found = connection.execute(
        f"SELECT id FROM images WHERE {' AND '.join([test] * len(where))} ORDER BY id",
        [part for item in where.items() for part in item],
    )
    return [row[0] for row in found]


def details(
    connection: sqlite3.Connection, ids: Collection[int]
) -> dict[int, tuple[str, dict[str, Any]]]:
    """Path and metadata of images by id."""
    found = connection.execute(
        "SELECT id, path, metadata FROM images "
        "WHERE id IN (SELECT value FROM json_each(?))",
        (json.dumps(list(ids)),),
    )
    return {id: (path, json.loads(metadata)) for id, path, metadata in found}


@contextmanager
def sqlite_errors(path: Path) -> Iterator[None]:
    """Turns errors of SQLite, such as a full disk, into ones that name the file."""
    try:
        yield
    except sqlite3.Error as error:
        raise InputError(f"{path}: {error}") from error


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
