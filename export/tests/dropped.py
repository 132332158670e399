"""Doing something as a user whom permissions bind, for tests that root runs."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

NOBODY = 65534


@contextmanager
def without_privilege(folder: Path) -> Iterator[None]:
    """Gives up root's privilege to ignore permissions, if there is one.

    Args:
        folder: May be written meanwhile, with all that is in it now.
    """
    if os.geteuid():
        yield
        return
    for path in (folder, *folder.rglob("*")):
        os.chown(path, NOBODY, NOBODY, follow_symlinks=False)
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)
