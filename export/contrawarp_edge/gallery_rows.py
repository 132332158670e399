"""Records as rows of a gallery's table, and back."""

from __future__ import annotations

import json
from sqlite3 import Connection
from typing import Any

import numpy as np

from contrawarp_edge.gallery_sql import is_text
from contrawarp_edge.nearest import unit_rows
from contrawarp_edge.records import Record

_COLUMNS = "id, path, sha256, embedding, metadata, added"


def to_row(record: Record, dim: int, added: str) -> dict[str, Any]:
    """The values of a record's row, except for its revision.

    Raises:
        InputError: If the embedding is not ``(dim,)``, finite and non-zero, or the
            metadata is no JSON.
    """
    (embedding,) = unit_rows(record.embedding, dim)
    return {
        "path": record.path,
        "sha256": record.sha256,
        "embedding": embedding.astype("<f4").tobytes(),
        "metadata": record.metadata_json(),
        "added": added,
    }


def find(connection: Connection, key: int | str) -> Record | None:
    """The record with an id, or with a path; None if there is none."""
    column = "path" if isinstance(key, str) else "id"
    if isinstance(key, str) and not is_text(key):
        return None
    row = connection.execute(
        f"SELECT {_COLUMNS} FROM images WHERE {column} = ?",
        (key if isinstance(key, str) else int(key),),
    ).fetchone()
    return None if row is None else _to_record(*row)


def page(connection: Connection, after: int) -> list[Record]:
    """Some records by id, beginning after an id."""
    found = connection.execute(
        f"SELECT {_COLUMNS} FROM images WHERE id > ? ORDER BY id LIMIT 1024", (after,)
    )
    return [_to_record(*row) for row in found]


def _to_record(
    id: int, path: str, sha256: str, embedding: bytes, metadata: str, added: str
) -> Record:
    vector = np.frombuffer(embedding, "<f4").astype(np.float32)
    return Record(path, sha256, vector, json.loads(metadata), id, added)


def sha256_of(connection: Connection, path: str) -> str | None:
    """The hash stored for a path, or None if the path is unknown."""
    if not is_text(path):
        return None
    row = connection.execute(
        "SELECT sha256 FROM images WHERE path = ?", (path,)
    ).fetchone()
    return None if row is None else str(row[0])
