"""Locks that end with the process that holds them, however that ends."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

if sys.platform != "win32":
    import fcntl

_LOOK_SECONDS = 0.02


def try_lock(descriptor: int) -> bool:
    """Locks an open file or folder for this descriptor alone, without waiting.

    Where files cannot be locked nobody is kept away. Windows needs no lock for what
    this package does: it removes no file that somebody has open.

    Returns:
        Whether nobody else holds the lock.
    """
    if sys.platform == "win32":
        return True
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # a file system without locks
        return True
    return True


@contextmanager
def locked_folder(folder: Path, seconds: float = 5.0) -> Iterator[None]:
    """Keeps others who ask for it out of a folder for a moment.

    They hold it for moments only. Whoever holds it for longer is another program, such
    as ``flock FOLDER COMMAND`` with this one as its command, and is not waited for.

    Args:
        folder: Nothing is written to it. One that cannot be opened is not locked.
        seconds: How long to wait for others.
    """
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except OSError:
        descriptor = None  # Windows opens no folders
    try:
        end = time.monotonic() + seconds
        while descriptor is not None and not try_lock(descriptor):
            if time.monotonic() > end:
                break
            time.sleep(_LOOK_SECONDS)
        yield
    finally:
        if descriptor is not None:
            os.close(descriptor)
