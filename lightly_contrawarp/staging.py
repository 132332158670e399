"""Writing several files that appear together, once all of them are known to be good."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeAlias

from contrawarp_edge.errors import InputError

Stage: TypeAlias = Callable[[Path, bytes], Path]
"""Takes a file to write or replace, whose folder has to exist, and all that it shall
hold. Returns where the content waits, so that it can be checked there, or raises
`InputError` if it cannot be written."""


@contextmanager
def staged_files() -> Iterator[Stage]:
    """Puts files in place when the block ends, and none of them if it fails.

    Yields:
        A `Stage` for the files.

    Raises:
        InputError: If a file cannot be put in place. An earlier one is left as it was.
    """
    waiting: dict[Path, Path] = {}

    def stage(path: Path, content: bytes) -> Path:
        # Beside the target, because a rename is atomic only within one file system.
        # The name is the same each time, so what a killed run left is overwritten.
        partial = waiting[path] = path.with_name(f".{path.name}.staged")
        with _explained(path):
            partial.write_bytes(content)
        return partial

    try:
        yield stage
        for path, partial in waiting.items():
            with _explained(path):
                partial.replace(path)
    finally:
        for partial in waiting.values():
            partial.unlink(missing_ok=True)


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise InputError(f"{path}: cannot be written: {error.strerror}") from error
