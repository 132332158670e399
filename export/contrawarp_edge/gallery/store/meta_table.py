"""The meta table: what a gallery says of itself, by name."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping

from contrawarp_edge.core.text import as_text


def entries(connection: sqlite3.Connection) -> dict[str, str]:
    """All of it, whatever damage made of it."""
    # As bytes, because damaged text may be none.
    query = "SELECT CAST(key AS BLOB), CAST(value AS BLOB) FROM meta"
    return {
        key.decode(errors="replace"): value.decode(errors="replace")
        for key, value in connection.execute(query)
        if key is not None and value is not None
    }


def set_entries(connection: sqlite3.Connection, values: Mapping[str, str]) -> None:
    """Writes some entries, inside a transaction."""
    rows = [(key, as_text(value)) for key, value in values.items()]
    connection.executemany("INSERT OR REPLACE INTO meta VALUES (?, ?)", rows)


def remove_entry(connection: sqlite3.Connection, key: str, value: str) -> None:
    """Removes an entry, inside a transaction, unless it has another value by now."""
    connection.execute("DELETE FROM meta WHERE key = ? AND value = ?", (key, value))
