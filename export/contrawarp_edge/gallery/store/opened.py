"""A gallery file that is kept open, and opened anew when another takes its place."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from contrawarp_edge.core.errors import BusyError, InputError, MovedError
from contrawarp_edge.core.sqlite.connections import PlacedConnection
from contrawarp_edge.core.sqlite.transactions import sqlite_errors, transaction
from contrawarp_edge.gallery.store import gallery_file, statements

T = TypeVar("T")

_ATTEMPTS = 10
_CHECKPOINT_MILLISECONDS = 1000


class OpenedFile:
    """The connection of a gallery.

    One that only reads follows its path: it is opened anew when another file is there,
    and, where changes by others do not show otherwise, when the file has changed. One
    that writes stays with its file, and refuses to go on when that has gone.

    Args:
        path: The gallery.
        readonly: Whether writing is refused.

    Attributes:
        path: As it was given; for messages.
        place: Where it is, whatever the current folder is later.
        meta: The gallery's meta table as it was when the file was opened first.
        lineage: Changes when what was read before says nothing of the file any more.

    Raises:
        InputError: If the file is missing or no gallery.
    """

    def __init__(self, path: Path, *, readonly: bool) -> None:
        self.path = path
        self.place = path.absolute()
        self.lineage = 0
        self.meta: Mapping[str, str]
        self._readonly = readonly
        self.connection, self.meta = gallery_file.connect(path, readonly=readonly)
        self._mark: tuple[int, bytes | None] = (-1, None)
        try:
            with sqlite_errors(path):
                self._mark = _mark(self.connection)
        except BaseException:
            self.connection.close()
            raise

    def read(self, work: Callable[[PlacedConnection], T]) -> T:
        """Reads what holds at one moment.

        Args:
            work: What to do with the connection; done again if what it saw was
                changed meanwhile.

        Returns:
            What it returned.

        Raises:
            BusyError: If the file keeps changing.
            DamagedError: If it is damaged.
            MovedError: If it is gone, or is another that cannot be used instead.
        """
        with sqlite_errors(self.path):
            for _ in range(_ATTEMPTS):
                self._follow()
                place = self.connection.place
                try:
                    result = work(self.connection)
                except Exception:
                    if place.is_immutable and not place.is_current():
                        continue
                    raise
                if not place.is_immutable or place.is_current():
                    return result
        raise BusyError(f"{self.path}: keeps changing while it is read; try again")

    @contextmanager
    def writing(self) -> Iterator[PlacedConnection]:
        """A transaction that writes, undone if the block raises.

        Raises:
            StorageError: If the file cannot be written.
            MovedError: If it is no longer where it was opened.
        """
        with sqlite_errors(self.path), transaction(self.connection, "IMMEDIATE"):
            yield self.connection

    def check_place(self) -> None:
        """Checks that what was written can be found where it was to be.

        Raises:
            MovedError: If it cannot.
        """
        if not self._readonly:
            self.connection.check_place()

    def close(self) -> None:
        """Closes the file; one that was written leaves nothing in its log."""
        is_copied = not self._readonly and self._checkpoint()
        is_here = self.connection.place.is_current()
        self.connection.close()
        if is_copied and not is_here:
            gallery_file.remove_log_of_none(self.path)

    def _checkpoint(self) -> bool:
        """Whether all of the log is in the file, and the log empty."""
        try:
            wait = f"PRAGMA busy_timeout = {_CHECKPOINT_MILLISECONDS}"
            self.connection.execute(wait)
            found = self.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            return bool(found.fetchone()[0] == 0)
        except sqlite3.Error:
            return False

    def _follow(self) -> None:
        if self.connection.place.is_current():
            return
        self.check_place()
        before = self.connection
        try:
            connection, meta = gallery_file.connect(self.place, readonly=True)
        except InputError as error:
            raise MovedError(str(error)) from error
        try:
            if meta["fingerprint"] != self.meta["fingerprint"]:
                raise MovedError(
                    f"{self.path}: was replaced by a gallery of another model"
                )
            revision, token = self._mark
            is_same_file = before.place.facts[:2] == connection.place.facts[:2]
            if not is_same_file or statements.token(connection, revision) != token:
                self.lineage += 1
            self._mark = _mark(connection)
        except BaseException:
            connection.close()
            raise
        self.connection = connection
        before.close()


def _mark(connection: sqlite3.Connection) -> tuple[int, bytes | None]:
    revision = statements.revision(connection)
    return revision, statements.token(connection, revision)
