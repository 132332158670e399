"""Writing files so that a crash never leaves half of one."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TypeAlias

from contrawarp_edge.core.drafts import Draft, draft_of
from contrawarp_edge.core.errors import FullError, StorageError


def atomic_write(path: Path, content: bytes | memoryview) -> None:
    """Writes a file in one step: readers see the old or the new one, whole.

    Args:
        path: The file to write or replace; its folder has to exist.
        content: All that it shall hold. What is no file, such as ``/dev/stdout``, is
            written as it is.

    Raises:
        StorageError: If the file cannot be written. An earlier file is left as it was.
    """
    with storage_errors(f"{path}: cannot be written"):
        if path.exists() and not path.is_file():
            path.write_bytes(content)
            return
        with draft_of(path) as draft:
            write_durably(draft.path, content)
            draft.publish(path)


@contextmanager
def storage_errors(failure: str) -> Iterator[None]:
    """Turns what the system says of a file or folder into an error in words.

    Args:
        failure: What the message says before the system's reason, such as
            ``"faces.csv: cannot be written"``.

    Raises:
        FullError: Instead of an ``OSError``, if there is no space left.
        StorageError: Instead of any other ``OSError``.
    """
    try:
        yield
    except OSError as error:
        is_full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        kind = FullError if is_full else StorageError
        raise kind(f"{failure}: {error.strerror or error}") from error


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


Stage: TypeAlias = Callable[[Path, bytes], Path]
"""Takes a file to write or replace, whose folder has to exist, and all that it shall
hold. Returns where the content waits, so that it can be checked there, or raises
`StorageError` if it cannot be written."""


@contextmanager
def staged_files() -> Iterator[Stage]:
    """Puts files in place when the block ends, and none of them if it fails.

    Yields:
        A `Stage` for the files.

    Raises:
        StorageError: If a file cannot be put in place. Earlier ones stay as they were.
    """
    waiting: dict[Path, Draft] = {}
    with ExitStack() as stack:

        def stage(path: Path, content: bytes) -> Path:
            with storage_errors(f"{path}: cannot be written"):
                if path not in waiting:
                    waiting[path] = stack.enter_context(draft_of(path))
                write_durably(waiting[path].path, content)
            return waiting[path].path

        yield stage
        for path, draft in waiting.items():
            with storage_errors(f"{path}: cannot be written"):
                draft.publish(path)
