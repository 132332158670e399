"""Who may write the index of a gallery: one process at a time."""

from __future__ import annotations

import contextlib
import re
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from contrawarp_edge.core.errors import InputError
from contrawarp_edge.gallery.ann import ann_index


class BusyError(InputError):
    """Another process builds the index of the gallery."""


@contextlib.contextmanager
def only_builder(gallery: Path) -> Iterator[None]:
    """Keeps other processes from building the index of a gallery meanwhile.

    The operating system holds the lock, so it ends with the process, however that
    ends. SQLite asks for it in the way of each system; its file stays empty.

    Raises:
        BusyError: If another process builds it.
        InputError: If the folder cannot be written.
    """
    path = lock_path(gallery)
    with contextlib.ExitStack() as stack:
        try:
            lock = sqlite3.connect(path, isolation_level=None, timeout=0)
            stack.enter_context(contextlib.closing(lock))
            lock.execute("BEGIN EXCLUSIVE")
        except sqlite3.Error as error:
            if "locked" in str(error):
                raise BusyError(f"{gallery}: its index is being built") from error
            raise InputError(f"{path}: cannot be written: {error}") from error
        yield


def lock_path(gallery: Path) -> Path:
    """What a builder locks; not there if nobody ever built an index."""
    return gallery.with_name(f"{gallery.name}-index.lock")


def remove_strays(gallery: Path) -> None:
    """Removes what killed builders left; nobody else may be building."""
    facts = ann_index.read_facts(gallery)
    kept = None if facts is None else facts.file
    pattern = re.compile(re.escape(gallery.name) + "-index-[0-9a-f]{8}")
    for path in gallery.absolute().parent.iterdir():
        if path.name != kept and pattern.fullmatch(path.name):
            with contextlib.suppress(OSError):
                path.unlink()
