"""Galleries as earlier versions wrote them, for tests of what becomes of them."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path

import numpy as np

from contrawarp_edge import ModelInfo

SCHEMA_2 = """
CREATE TABLE history (revision INTEGER PRIMARY KEY, token BLOB NOT NULL);
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE images (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    path TEXT NOT NULL UNIQUE,
    sha256 TEXT NOT NULL,
    metadata TEXT NOT NULL,
    added TEXT NOT NULL,
    revision INTEGER NOT NULL,
    embedding BLOB NOT NULL CHECK (length(embedding) = {size})
);
CREATE INDEX images_revision ON images (revision);
INSERT INTO history VALUES (0, randomblob(16)), (1, randomblob(16));
"""


def write_version_2(
    path: Path, info: ModelInfo, rows: Iterable[tuple[str, str, dict[str, object]]]
) -> Path:
    """Writes a gallery of version 2 with paths as they were typed.

    Args:
        path: The gallery.
        info: Its model.
        rows: Path, hash and metadata of each image.
    """
    vectors = np.random.default_rng(0).normal(size=(100, info.dim))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.executescript(SCHEMA_2.format(size=4 * info.dim))
        meta = {
            "schema_version": "2",
            "model": json.dumps(info.to_metadata()),
            "fingerprint": info.fingerprint,
            "dim": str(info.dim),
            "aligned": "no",
        }
        connection.executemany("INSERT INTO meta VALUES (?, ?)", meta.items())
        connection.executemany(
            "INSERT INTO images (path, sha256, metadata, added, revision, embedding) "
            "VALUES (?, ?, ?, '2026-01-01T00:00:00+00:00', 1, ?)",
            [
                (name, sha256, json.dumps(facts), vector.astype("<f4").tobytes())
                for (name, sha256, facts), vector in zip(rows, vectors, strict=False)
            ],
        )
        connection.commit()
    return path
