"""Connections that know which file they have open, and notice when it is another."""

from __future__ import annotations

import os
import sqlite3
from dataclasses import dataclass
from pathlib import Path

from contrawarp_edge.core.errors import MovedError
from contrawarp_edge.core.sqlite import write_ahead

_Facts = tuple[int | None, ...]


@dataclass(frozen=True)
class Place:
    """What was at a path when it was opened.

    Attributes:
        path: Of the file.
        is_immutable: Whether it was opened without its log and without locks, because
            there was no other way: what others write then passes unnoticed by SQLite.
        facts: What tells whether it still is the same: the file, and if it is
            immutable also its content.
    """

    path: Path
    is_immutable: bool
    facts: _Facts

    def is_current(self) -> bool:
        """Whether the same is at the path now."""
        return _facts(self.path, self.is_immutable) == self.facts


def place_of(path: Path, *, is_immutable: bool) -> Place:
    """What is at a path at this moment."""
    path = path.absolute()  # the current folder may change
    return Place(path, is_immutable, _facts(path, is_immutable))


class PlacedConnection(sqlite3.Connection):
    """A connection to a file.

    Attributes:
        place: What it has open.
    """

    place: Place

    def check_place(self) -> None:
        """Checks that the file is still where it was opened.

        Raises:
            MovedError: If it is not.
        """
        if not self.place.is_current():
            raise MovedError(
                f"{self.place.path}: was moved, removed or replaced while it was open; "
                "what was stored before is in the file that was there"
            )


def _facts(path: Path, with_content: bool) -> _Facts:
    found = _stat(path)
    if found is None:
        return ()
    identity = (found.st_dev, found.st_ino)
    if not with_content:
        return identity
    file = path.resolve()
    facts = [*identity, *_times(found)]
    if log := _stat(write_ahead.log_path(file)):
        facts += [log.st_ino, *_times(log)]
    # Two changes may fall into one tick of a file system's clock.
    return (*facts, write_ahead.state(file))


def _times(found: os.stat_result) -> tuple[int, int, int]:
    return found.st_size, found.st_mtime_ns, found.st_ctime_ns


def _stat(path: Path) -> os.stat_result | None:
    try:
        return os.stat(path)
    except OSError:
        return None
