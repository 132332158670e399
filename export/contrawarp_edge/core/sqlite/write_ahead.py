"""SQLite's write-ahead log beside a gallery: whether it is that gallery's at all.

SQLite looks for ``X-wal`` beside ``X`` by its name alone and replays what it finds. So
the log that a killed run left would be replayed into another file that takes the name
``X`` later. To tell whose a log is, each transaction writes two numbers into the header
of the database: a random one for the state that it leaves, and the one of the state
that it began with. A log belongs to a file if it leads from, or to, the state in which
that file is. See https://sqlite.org/fileformat2.html for the layout of both.
"""

from __future__ import annotations

import secrets
import sqlite3
import struct
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import BinaryIO

import numpy as np

_HEAD, _FRAME = 32, 24
_NUMBERS_AT = 60  # user_version; then 4 bytes of another kind; then application_id
_ATTEMPTS = 20


def stamp(connection: sqlite3.Connection) -> None:
    """Says in the file which state a write transaction leads from, and to.

    Args:
        connection: Inside the transaction.
    """
    (before,) = connection.execute("PRAGMA user_version").fetchone()
    connection.execute(f"PRAGMA application_id = {before:d}")
    # Never 0, which files have that were written before there were such numbers.
    connection.execute(f"PRAGMA user_version = {1 + secrets.randbelow(2**31 - 1):d}")


def state(gallery: Path) -> int | None:
    """The number of the state that a file is in, apart from its log.

    Not read by opening the file in any other way: closing it would end the locks that
    this process has on it.

    Args:
        gallery: The file itself, no link to it.

    Returns:
        The number; None if the file is missing or no database.
    """
    uri = f"{gallery.as_uri()}?mode=ro&immutable=1"
    try:
        with closing(sqlite3.connect(uri, uri=True)) as connection:
            (number,) = connection.execute("PRAGMA user_version").fetchone()
    except sqlite3.Error:
        return None
    return int(number)


def log_path(gallery: Path) -> Path:
    """Where SQLite looks for the log of a file that is no link."""
    return gallery.with_name(f"{gallery.name}-wal")


def holds_nothing(gallery: Path) -> bool:
    """Whether there is no log, or an empty one."""
    try:
        return log_path(gallery).stat().st_size == 0
    except FileNotFoundError:
        return True
    except OSError:
        return False


def is_foreign(gallery: Path) -> bool:
    """Whether the log beside a file is certainly not of that file.

    A log of which that cannot be told is SQLite's business.
    """
    if holds_nothing(gallery):
        return False
    for _ in range(_ATTEMPTS):
        before, head = state(gallery), _head(gallery)
        verdict = before is not None and _is_of_another(log_path(gallery), before)
        # While another process writes, file and log were perhaps not seen together.
        if (before, head) == (state(gallery), _head(gallery)):
            return verdict
    return False


def remove_log(gallery: Path) -> None:
    """Removes a log that is not of this gallery, and SQLite's index of it.

    A process that still has them open, since its gallery was moved away, keeps them to
    itself.

    Raises:
        OSError: If that is not possible, as on Windows while they are open.
    """
    # The log last: as long as it is there, nobody takes what is being removed for his.
    for suffix in ("-journal", "-shm", "-wal"):
        gallery.with_name(f"{gallery.name}{suffix}").unlink(missing_ok=True)


def _head(gallery: Path) -> bytes:
    with suppress(OSError), log_path(gallery).open("rb") as file:
        return file.read(_HEAD)
    return b""


def _is_of_another(log: Path, state: int) -> bool:
    try:
        with log.open("rb") as file:
            return _leads_elsewhere(file, state)
    except OSError:
        return False


def _leads_elsewhere(file: BinaryIO, state: int) -> bool:
    headers = list(_headers(file))
    if not headers or not _is_whole(file, headers[0][0]):
        return False
    _, began_with, _ = headers[0]
    return state != began_with and all(state != end for _, _, end in headers)


def _headers(file: BinaryIO) -> Iterator[tuple[int, int, int]]:
    """Yields of each database header in a log its position and both its numbers."""
    head = file.read(_HEAD)
    if len(head) < _HEAD:
        return
    (page_size,) = struct.unpack_from(">I", head, 8)
    salts = head[16:24]
    position = _HEAD
    while True:
        file.seek(position)
        frame = file.read(_FRAME)
        if frame[8:16] != salts:  # of an earlier use of the file, or its end
            return
        if frame[:4] == b"\0\0\0\1":
            page = file.read(_NUMBERS_AT + 12)
            if len(page) < _NUMBERS_AT + 12:
                return
            end, _, start = struct.unpack_from(">iIi", page, _NUMBERS_AT)
            yield position, start, end
        position += _FRAME + page_size


def _is_whole(file: BinaryIO, position: int) -> bool:
    """Whether all of a log is valid up to and with the frame at a position."""
    file.seek(0)
    head = file.read(_HEAD)
    if len(head) < _HEAD:  # emptied since its headers were read
        return False
    magic, _, page_size = struct.unpack_from(">III", head)
    order = ">u4" if magic & 1 else "<u4"
    sums = _checksum(head[:24], order, (0, 0))
    if struct.pack(">II", *sums) != head[24:]:
        return False
    for _ in range(_HEAD, position + 1, _FRAME + page_size):
        frame = file.read(_FRAME)
        page = file.read(page_size)
        if len(page) < page_size:
            return False
        sums = _checksum(frame[:8] + page, order, sums)
        if struct.pack(">II", *sums) != frame[16:]:
            return False
    return True


def _checksum(content: bytes, order: str, sums: tuple[int, int]) -> tuple[int, int]:
    first, second = sums
    words = np.frombuffer(content, order).tolist()
    for i in range(0, len(words), 2):
        first = (first + words[i] + second) & 0xFFFFFFFF
        second = (second + words[i + 1] + first) & 0xFFFFFFFF
    return first, second
