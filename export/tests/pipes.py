"""Pipes into which nobody writes: who opens one waits, but in a test not for ever."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_SECONDS = 3.0


@contextmanager
def silent_pipe(path: Path) -> Iterator[Path]:
    """A pipe at a path. Readers that have waited for long see it end."""
    os.mkfifo(path)
    done = threading.Event()

    def release() -> None:
        while not done.wait(_SECONDS):
            os.close(os.open(path, os.O_RDWR))

    thread = threading.Thread(target=release)
    thread.start()
    try:
        yield path
    finally:
        done.set()
        thread.join()
