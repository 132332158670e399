"""The file that a service has opened, and whether it is still the one at its path."""

from __future__ import annotations

import os
from pathlib import Path

from contrawarp_edge.errors import InputError, StorageError
from contrawarp_edge.gallery import Gallery


class OpenedFile:
    """Notices when an open gallery is gone, damaged or replaced.

    What was opened can be read on after somebody moved or replaced it, so that only a
    look at the path tells that nobody else sees this gallery any more.

    Args:
        path: The gallery.

    Raises:
        StorageError: If there is none.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._number = self._current_number()
        with Gallery.open(path, readonly=True) as gallery:
            self._revision = gallery.revision
            self._mark = gallery.mark(self._revision)

    def check_in_place(self) -> None:
        """Looks whether the file is still there; costs next to nothing.

        Raises:
            StorageError: If it is gone or replaced.
        """
        if self._current_number() != self._number:
            raise _replaced()

    def check_readable(self) -> None:
        """Opens the gallery anew and reads a little of it.

        Raises:
            StorageError: If it is gone, damaged or replaced. Its path is not named.
        """
        self.check_in_place()
        try:
            with Gallery.open(self._path, readonly=True) as gallery:
                mark = gallery.mark(self._revision)
                gallery.get(1)  # down to a page of images, even if it is deleted
        except (InputError, OSError) as error:
            raise StorageError("the gallery cannot be read any more") from error
        if mark != self._mark:  # its content was written over
            raise _replaced()

    def _current_number(self) -> tuple[int, int]:
        # Only a look: closing a file that SQLite has open too would free its locks.
        try:
            found = os.stat(self._path)
        except OSError as error:
            raise StorageError(
                "the gallery is gone; put it back or start the service again"
            ) from error
        return found.st_dev, found.st_ino


def _replaced() -> StorageError:
    return StorageError(
        "the gallery was replaced by another file; start the service again"
    )
