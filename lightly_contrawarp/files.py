"""Writing files so that a crash never leaves half of one."""

from __future__ import annotations

import os
from pathlib import Path

from contrawarp_edge.errors import InputError


def atomic_write_text(path: Path, text: str) -> None:
    """Writes a text file in one step: readers see the old or the new one, whole.

    Args:
        path: The file to write or replace; its folder has to exist.
        text: The content, written as UTF-8.

    Raises:
        InputError: If the file cannot be written. An earlier file is left as it was.
    """
    # Beside the target, because a rename is atomic only within one file system.
    partial = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with partial.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except OSError as error:
        raise InputError(f"{path}: cannot be written: {error.strerror}") from error
    finally:
        partial.unlink(missing_ok=True)
