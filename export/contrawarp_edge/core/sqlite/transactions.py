"""Transactions of SQLite files, and their errors in words."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from contrawarp_edge.core.errors import Damage, DamagedError, FullError, StorageError
from contrawarp_edge.core.sqlite import write_ahead
from contrawarp_edge.core.sqlite.connections import PlacedConnection

_T = TypeVar("_T")

# What SQLite says of a file, or a part of one, that nobody wrote like that.
_DAMAGE_CODES = (11, 26)  # SQLITE_CORRUPT, SQLITE_NOTADB
_DAMAGE_WORDS = ("malformed", "not a database", "decode to UTF-8")


@contextmanager
def sqlite_errors(path: Path) -> Iterator[None]:
    """Turns damage and SQLite's errors, such as a full disk, into ones with the file.

    Wrong use of SQLite is a fault of the program and stays what it is.
    """
    try:
        yield
    except Damage as damage:
        raise DamagedError(path, damage) from damage
    except (sqlite3.ProgrammingError, sqlite3.InterfaceError):
        raise
    except sqlite3.Error as error:
        if _is_damage(error):
            raise DamagedError(path, f"is damaged ({error})") from error
        # Of Python 3.10's errors only the text tells SQLITE_FULL from others.
        kind = FullError if "is full" in str(error) else StorageError
        raise kind(f"{path}: {error}") from error


def _is_damage(error: sqlite3.Error) -> bool:
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF  # since Python 3.11
    return code in _DAMAGE_CODES or any(word in str(error) for word in _DAMAGE_WORDS)


def paged(pages: Iterator[_T], path: Path) -> Iterator[_T]:
    """Yields what another iterator does, whose errors become those of a file."""
    while True:
        with sqlite_errors(path):
            page = next(pages, None)
        if page is None:
            return
        yield page


@contextmanager
def transaction(connection: sqlite3.Connection, kind: str) -> Iterator[None]:
    """Runs a block in one transaction, rolled back if the block raises.

    Args:
        connection: In autocommit mode.
        kind: ``"DEFERRED"`` for reading one state, ``"IMMEDIATE"`` for writing.

    Raises:
        MovedError: If the file to write to is no longer where it was opened.
    """
    connection.execute(f"BEGIN {kind}")
    try:
        if kind == "IMMEDIATE":
            if isinstance(connection, PlacedConnection):
                connection.check_place()
            write_ahead.stamp(connection)
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:  # SQLite ends it itself after some errors
            connection.execute("ROLLBACK")
        raise
