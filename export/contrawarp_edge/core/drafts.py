"""Drafts: what a file or folder is before it takes its place, whole.

A draft lies beside its target, because a rename is atomic only within one file system,
and always under the same name. Its writer holds a lock on it. So whoever finds a draft
can tell one that is being written from one that a killed run left, and removes it.
"""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from contrawarp_edge.core.errors import BusyError
from contrawarp_edge.core.locking import try_lock

_SUFFIX = ".draft"
_LOOK_SECONDS = 0.02
_WAIT_SECONDS = 30.0


def draft_path(target: Path) -> Path:
    """Where the draft of a file or folder is."""
    return target.with_name(f".{target.name}{_SUFFIX}")


class Draft:
    """A draft that nobody else touches.

    Attributes:
        path: An empty file, or an empty folder; may be written by its name.
    """

    def __init__(self, path: Path, descriptor: int | None) -> None:
        self.path = path
        self._descriptor = descriptor

    def publish(self, target: Path) -> None:
        """Puts the draft in its place, over a file that is there.

        Raises:
            OSError: If that is not possible.
        """
        if sys.platform == "win32":  # renames nothing that is open
            self._close()
        self.path.replace(target)

    def discard(self) -> None:
        """Removes the draft, if it was not published."""
        is_mine = self._descriptor is None or _is_at(self._descriptor, self.path)
        if sys.platform == "win32":
            self._close()
        if is_mine:  # under its name may be the next writer's by now
            _remove(self.path)
        self._close()

    def _close(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
        self._descriptor = None


@contextmanager
def draft_of(
    target: Path, *, is_folder: bool = False, seconds: float = _WAIT_SECONDS
) -> Iterator[Draft]:
    """A new draft of a file or folder, which is gone afterwards or published.

    Args:
        target: Its folder has to exist.
        is_folder: Whether it is to be a folder.
        seconds: How long to wait for another process that writes the same target.

    Raises:
        BusyError: If that one is not done then.
        OSError: If there can be no draft.
    """
    draft = _started(target, is_folder, time.monotonic() + seconds)
    try:
        yield draft
    finally:
        with suppress(OSError):
            draft.discard()


def _started(target: Path, is_folder: bool, end: float) -> Draft:
    path = draft_path(target)
    while True:
        try:
            if is_folder:
                path.mkdir()
                descriptor = _opened(path)
            else:
                flags = os.O_RDWR | os.O_CREAT | os.O_EXCL
                descriptor = os.open(path, flags | getattr(os, "O_BINARY", 0), 0o666)
        except FileExistsError:
            if not _remove_if_stale(path):
                if time.monotonic() > end:
                    message = f"{target}: another process is writing it; try again"
                    raise BusyError(message) from None
                time.sleep(_LOOK_SECONDS)
            continue
        except FileNotFoundError:
            if is_folder and path.parent.is_dir():  # taken for a stale one
                continue
            raise
        if descriptor is None or (try_lock(descriptor) and _is_at(descriptor, path)):
            return Draft(path, descriptor)
        os.close(descriptor)  # taken for a stale one before it was locked


def remove_stale_draft(target: Path) -> None:
    """Removes the draft that a killed writer of a file or folder left, if any."""
    with suppress(OSError):
        _remove_if_stale(draft_path(target))


def remove_stale_drafts(folder: Path) -> None:
    """Removes all drafts in a folder, and below it, that killed writers left."""
    for place, folders, names in os.walk(folder):
        for name in (*folders, *names):
            if name.startswith(".") and name.endswith(_SUFFIX):
                with suppress(OSError):
                    _remove_if_stale(Path(place, name))


def _remove_if_stale(path: Path) -> bool:
    """Whether the draft is gone; raises OSError if it cannot be removed."""
    try:
        descriptor = _opened(path)
    except FileNotFoundError:
        return True
    try:
        if descriptor is not None:
            if not try_lock(descriptor):
                return False
            if not _is_at(descriptor, path):
                return True  # was published meanwhile
        try:
            _remove(path)
        except PermissionError:
            if sys.platform == "win32":  # somebody has it open
                return False
            raise
        return True
    finally:
        if descriptor is not None:
            os.close(descriptor)


def _opened(path: Path) -> int | None:
    if sys.platform == "win32":
        return None
    return os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)


def _is_at(descriptor: int, path: Path) -> bool:
    if sys.platform == "win32":
        return True
    try:
        return os.path.samestat(os.fstat(descriptor), os.lstat(path))
    except OSError:
        return False


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
