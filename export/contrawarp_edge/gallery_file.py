"""The SQLite file behind a gallery: its tables, and opening it without side effects."""

from __future__ import annotations

import secrets
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

from contrawarp_edge.errors import InputError
from contrawarp_edge.gallery_sql import sqlite_errors, transaction

SCHEMA_VERSION = 3

# `history` counts the write transactions, and each row keeps the one that wrote its
# embedding last: whoever holds a copy of the embeddings can tell what is new. The
# random mark of each transaction tells whether a copy is one of this gallery.
_HISTORY = """
CREATE TABLE history (revision INTEGER PRIMARY KEY, token BLOB NOT NULL);
"""
_SCHEMA = """
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
"""
# By which a file is known again after it was moved or renamed.
_BY_CONTENT = """
CREATE INDEX IF NOT EXISTS images_content ON images (sha256, path);
"""


def create(path: Path, meta: Mapping[str, str], dim: int) -> None:
    """Creates an empty gallery file, whole or not at all.

    Args:
        path: Where; nothing may be there yet.
        meta: Entries of the meta table besides ``schema_version``.
        dim: Length D of the embeddings.

    Raises:
        InputError: If something is there already or the folder cannot be written.
    """
    if path.exists():
        raise InputError(f"{path}: is there already")
    if not path.parent.is_dir():
        raise InputError(f"{path}: its folder does not exist")
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    entries = {"schema_version": str(SCHEMA_VERSION), **meta}
    try:
        with (
            sqlite_errors(path),
            closing(sqlite3.connect(draft, isolation_level=None)) as connection,
        ):
            # At the default of 4096, one row of dim 512 would leave half a page empty.
            connection.execute("PRAGMA page_size = 16384")
            connection.execute("PRAGMA journal_mode = WAL")
            connection.executescript(
                "BEGIN;" + _HISTORY + _SCHEMA.format(size=4 * dim) + _BY_CONTENT
            )
            connection.execute("INSERT INTO history VALUES (0, randomblob(16))")
            connection.executemany("INSERT INTO meta VALUES (?, ?)", entries.items())
            connection.execute("COMMIT")
        _publish(draft, path)
    finally:
        for suffix in ("", "-wal", "-shm"):
            Path(f"{draft}{suffix}").unlink(missing_ok=True)


def _publish(draft: Path, path: Path) -> None:
    try:
        path.hardlink_to(draft)  # unlike renaming, never replaces another's gallery
    except FileExistsError as error:
        raise InputError(f"{path}: is there already") from error
    except OSError:  # a file system without hard links, such as on many SD cards
        draft.rename(path)


def connect(path: Path, *, readonly: bool) -> tuple[sqlite3.Connection, dict[str, str]]:
    """Opens a gallery file.

    Args:
        path: The file.
        readonly: Whether writing through this connection is refused. Such a
            connection also works on media that cannot be written.

    Returns:
        The connection, in autocommit mode, and the meta table.

    Raises:
        InputError: If the file is missing or no gallery. Nothing is created then.
    """
    if not path.is_file():
        problem = "is a folder" if path.is_dir() else "no such gallery"
        raise InputError(f"{path}: {problem}; `contrawarp-edge embed` makes galleries")
    # Not SQLite's mode=ro: it leaves -wal and -shm files behind.
    modes = ["mode=rw"]
    if readonly and not Path(f"{path}-wal").exists():
        modes.append("mode=ro&immutable=1")
    while True:
        uri = f"{path.resolve().as_uri()}?{modes.pop(0)}"
        connection = sqlite3.connect(uri, uri=True, isolation_level=None, timeout=30)
        try:
            meta = _read_meta(connection, path)
            if meta["schema_version"] == "1":
                _upgrade_1(connection)
            if not readonly and int(meta["schema_version"]) < SCHEMA_VERSION:
                _upgrade_2(connection)
            connection.execute(f"PRAGMA query_only = {readonly:d}")
            return connection, meta
        except sqlite3.OperationalError as error:
            connection.close()
            if not modes:
                raise InputError(f"{path}: {error}") from error
        except BaseException:
            connection.close()
            raise


def _read_meta(connection: sqlite3.Connection, path: Path) -> dict[str, str]:
    try:
        meta = dict(connection.execute("SELECT key, value FROM meta"))
        version = int(meta["schema_version"])
    except sqlite3.OperationalError as error:
        if "no such" not in str(error):  # table or column
            raise
        raise InputError(f"{path}: not a gallery") from error
    except (sqlite3.DatabaseError, KeyError, ValueError) as error:
        raise InputError(f"{path}: not a gallery") from error
    if version > SCHEMA_VERSION:
        raise InputError(
            f"{path}: written by a newer version; upgrade contrawarp-edge to open it"
        )
    return meta


def _upgrade_1(connection: sqlite3.Connection) -> None:
    """Gives a gallery of version 1, which had no random marks, its history."""
    with transaction(connection, "IMMEDIATE"):
        query = "SELECT value FROM meta WHERE key = 'revision'"
        if (row := connection.execute(query).fetchone()) is None:
            return  # another process was quicker
        connection.execute(_HISTORY)
        connection.execute("INSERT INTO history VALUES (?, randomblob(16))", row)
        connection.execute("DELETE FROM meta WHERE key = 'revision'")
        connection.execute("UPDATE meta SET value = '2' WHERE key = 'schema_version'")


def _upgrade_2(connection: sqlite3.Connection) -> None:
    """Gives a gallery of version 2 what is new in version 3."""
    with transaction(connection, "IMMEDIATE"):
        query = "SELECT value FROM meta WHERE key = 'schema_version'"
        if connection.execute(query).fetchone() != ("2",):
            return  # another process was quicker
        connection.execute(_BY_CONTENT)
        connection.execute("UPDATE meta SET value = '3' WHERE key = 'schema_version'")


def is_sqlite(path: Path) -> bool:
    """Whether a file begins like an SQLite database."""
    try:
        if not path.is_file():  # opening a pipe would wait for ever
            return False
        with path.open("rb") as file:
            return file.read(16) == b"SQLite format 3\0"
    except OSError:
        return False
