"""Writing several files that appear together, once all of them are known to be good."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TypeAlias

from contrawarp_edge.drafts import Draft, draft_of
from contrawarp_edge.errors import InputError
from contrawarp_edge.files import write_durably

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
    waiting: dict[Path, Draft] = {}
    with ExitStack() as stack:

        def stage(path: Path, content: bytes) -> Path:
            with _explained(path):
                if path not in waiting:
                    waiting[path] = stack.enter_context(draft_of(path))
                write_durably(waiting[path].path, content)
            return waiting[path].path

        yield stage
        for path, draft in waiting.items():
            with _explained(path):
                draft.publish(path)


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise InputError(f"{path}: cannot be written: {error.strerror}") from error
