"""Transactions of SQLite files, and their errors in words."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from contrawarp_edge.core.errors import (
    BusyError,
    Damage,
    DamagedError,
    FullError,
    StorageError,
)
from contrawarp_edge.core.sqlite import write_ahead
from contrawarp_edge.core.sqlite.connections import PlacedConnection

_T = TypeVar("_T")

# What SQLite says of a file, or a part of one, that nobody wrote like that; of one that
# another process keeps; and of a full disk. Python tells the codes from 3.11 on.
_KINDS: list[tuple[type[StorageError], set[int], tuple[str, ...]]] = [
    (DamagedError, {11, 26}, ("malformed", "not a database", "decode to UTF-8")),
    (BusyError, {5, 6}, ("is locked",)),
    (FullError, {13}, ("is full",)),
]


@contextmanager
def sqlite_errors(path: Path, failure: str = "") -> Iterator[None]:
    """Turns damage and SQLite's errors, such as a full disk, into ones with the file.

    Wrong use of SQLite is a fault of the program and stays what it is.

    Args:
        path: The file.
        failure: What the message says before SQLite's reason; the file if empty.

    Raises:
        StorageError: Of the kind that fits, instead of an ``sqlite3.Error``.
    """
    try:
        yield
    except Damage as damage:
        raise DamagedError(path, damage) from damage
    except (sqlite3.ProgrammingError, sqlite3.InterfaceError):
        raise
    except sqlite3.Error as error:
        kind = kind_of(error)
        if kind is DamagedError:
            raise DamagedError(path, f"is damaged ({error})") from error
        raise kind(f"{failure or path}: {error}") from error


def kind_of(error: sqlite3.Error) -> type[StorageError]:
    """What SQLite's error is for users."""
    code, text = getattr(error, "sqlite_errorcode", 0) & 0xFF, str(error)
    for kind, codes, words in _KINDS:
        if code in codes or any(word in text for word in words):
            return kind
    return StorageError


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
