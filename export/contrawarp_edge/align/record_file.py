"""The SQLite file with which a folder of crops remembers what was aligned."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from contrawarp_edge.core.errors import DamagedError, InputError, StorageError
from contrawarp_edge.core.sqlite.connections import PlacedConnection, place_of
from contrawarp_edge.core.sqlite.transactions import sqlite_errors

RECORD = ".align.sqlite"

# `path` names a photo, or a frame such as clip.mp4#t=12.500, and `source` the file.
_SCHEMA = """
BEGIN;
CREATE TABLE settings (json TEXT NOT NULL);
CREATE TABLE photos (
    path TEXT PRIMARY KEY, source TEXT NOT NULL, sha256 TEXT NOT NULL,
    reasons TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE faces (
    file TEXT PRIMARY KEY, path TEXT NOT NULL, source TEXT NOT NULL, time REAL,
    track INTEGER, score REAL NOT NULL, points TEXT NOT NULL, box TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE forgotten (id INTEGER PRIMARY KEY);
CREATE INDEX photos_source ON photos (source);
CREATE INDEX faces_path ON faces (path);
COMMIT;
"""
# Has a row while the file may hold traces of what was forgotten.
_FORGOTTEN = """
BEGIN;
CREATE TABLE forgotten (id INTEGER PRIMARY KEY);
INSERT INTO forgotten DEFAULT VALUES;
COMMIT;
"""


def open_record(folder: Path, settings: str) -> PlacedConnection:
    """Opens the record of a folder of crops, or begins one.

    Args:
        folder: Created if it is not there.
        settings: What decides how crops look, as JSON.

    Returns:
        A connection in autocommit mode.

    Raises:
        InputError: If the folder holds something else, or was made with other settings.
    """
    file = folder / RECORD
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder}: is a file; crops need a folder")
    if not file.exists():
        if folder.is_dir() and any(folder.iterdir()):
            raise InputError(
                f"{folder}: holds files that `align` did not write; give a new folder"
            )
        folder.mkdir(parents=True, exist_ok=True)
    with record_errors(file):
        connection = sqlite3.connect(
            file, isolation_level=None, factory=PlacedConnection
        )
        try:
            connection.place = place_of(file, is_immutable=False)
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = NORMAL")
            connection.execute("PRAGMA secure_delete = ON")
            _make_tables(connection)
            _check_settings(connection, folder, settings)
            erase(connection)
        except BaseException:
            connection.close()
            raise
    return connection


def _make_tables(connection: sqlite3.Connection) -> None:
    query = "SELECT name FROM sqlite_master WHERE type = 'table'"
    tables = {name for (name,) in connection.execute(query)}
    if not tables:
        connection.executescript(_SCHEMA)
    elif "settings" in tables and "forgotten" not in tables:  # of an earlier version
        connection.executescript(_FORGOTTEN)


def _check_settings(
    connection: sqlite3.Connection, folder: Path, settings: str
) -> None:
    row = connection.execute("SELECT json FROM settings").fetchone()
    if row is None:
        connection.execute("INSERT INTO settings VALUES (?)", (settings,))
    elif row[0] != settings:
        raise InputError(
            f"{folder}: was made with other settings, {row[0]}; use the same or give a "
            "new folder"
        )


def erase(connection: sqlite3.Connection) -> None:
    """Writes the file anew if something was forgotten, in this run or before.

    secure_delete leaves what SQLite has moved from one page to another.
    """
    if connection.execute("SELECT 1 FROM forgotten").fetchone():
        connection.execute("VACUUM")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        connection.execute("DELETE FROM forgotten")


@contextmanager
def record_errors(file: Path) -> Iterator[None]:
    """Turns SQLite's errors into ones that name the file and say what to do."""
    try:
        with sqlite_errors(file):
            yield
    except DamagedError as error:
        raise StorageError(
            f"{file}: is damaged ({error.__cause__}); align the photos into a new "
            "folder instead"
        ) from error
