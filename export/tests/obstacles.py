"""Pipes into which nobody writes, and folders that nobody may list."""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest


@contextmanager
def silent_pipe(path: Path) -> Iterator[Path]:
    """A pipe; at the end it fails if something was opening it, and so would wait."""
    os.mkfifo(path)
    done = threading.Event()
    waited = False

    def release() -> None:
        nonlocal waited
        while not done.wait(0.1):
            with suppress(OSError):  # unless somebody waits
                os.close(os.open(path, os.O_WRONLY | os.O_NONBLOCK))
                waited = True

    thread = threading.Thread(target=release)
    thread.start()
    try:
        yield path
    finally:
        done.set()
        thread.join()
    assert not waited, f"{path} was opened"


def forbid_listing(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pretends that a folder may not be listed: root, who may, runs tests too."""
    list_really = os.scandir

    def scandir(path: os.PathLike[str] | str = ".") -> object:
        if Path(path).absolute() == folder.absolute():
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return list_really(path)

    monkeypatch.setattr(os, "scandir", scandir)
