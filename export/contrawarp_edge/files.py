"""Writing files so that a crash never leaves half of one."""

from __future__ import annotations

import errno
import os
from pathlib import Path

from contrawarp_edge.drafts import draft_of
from contrawarp_edge.errors import FullError, StorageError


def atomic_write(path: Path, content: bytes | memoryview) -> None:
    """Writes a file in one step: readers see the old or the new one, whole.

    Args:
        path: The file to write or replace; its folder has to exist.
        content: All that it shall hold. What is no file, such as ``/dev/stdout``, is
            written as it is.

    Raises:
        StorageError: If the file cannot be written. An earlier file is left as it was.
    """
    try:
        if path.exists() and not path.is_file():
            path.write_bytes(content)
            return
        with draft_of(path) as draft:
            write_durably(draft.path, content)
            draft.publish(path)
    except OSError as error:
        is_full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        kind = FullError if is_full else StorageError
        raise kind(f"{path}: cannot be written: {error.strerror}") from error


def write_durably(path: Path, content: bytes | memoryview) -> None:
    """Writes a file and waits until it is on the disk.

    Raises:
        OSError: If it cannot be written.
    """
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def atomic_write_text(path: Path, text: str) -> None:
    """Writes a text file as UTF-8 in one step; see :func:`atomic_write`."""
    atomic_write(path, text.encode("utf-8"))
