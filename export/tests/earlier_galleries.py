"""Galleries as earlier versions wrote them."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path


def as_version(path: Path, version: int) -> None:
    """Takes out of a gallery what came after a version of the schema."""
    with closing(sqlite3.connect(path)) as connection, connection:
        for column in ("expression", "scores", "checksum"):
            connection.execute(f"ALTER TABLE images DROP COLUMN {column}")
        connection.execute("DELETE FROM meta WHERE key = 'checksum'")
        if version == 1:
            query = "SELECT 'revision', max(revision) FROM history"
            connection.execute(f"INSERT INTO meta {query}")
            connection.execute("DROP TABLE history")
        connection.execute(
            "UPDATE meta SET value = ? WHERE key = 'schema_version'", (str(version),)
        )
