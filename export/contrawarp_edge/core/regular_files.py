"""Only regular files are opened: a pipe or device would be waited for, for ever."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

from contrawarp_edge.core.errors import InputError, NotFoundError


def problem_of(path: Path | str) -> str | None:
    """Why a path cannot be opened as a file, in a few words; None if it can.

    A folder that cannot even be listed is named for that. Whether a file may be read
    shows when it is opened.
    """
    try:
        mode = os.stat(path).st_mode
        if stat.S_ISREG(mode):
            return None
        if not stat.S_ISDIR(mode):
            return "not a regular file"
        os.scandir(path).close()
    except OSError as error:
        return error.strerror or type(error).__name__
    except ValueError:  # what Python says of such a name is no help
        return (
            "its name has a zero byte in it; a list of names that end with one needs "
            "--null, and one in UTF-16 has to become UTF-8"
        )
    return os.strerror(errno.EISDIR)


def check_regular(path: Path | str) -> None:
    """Checks that a path can be opened as a file.

    Raises:
        NotFoundError: If it is missing.
        InputError: If it is no regular file, or no path at all.
    """
    if problem := problem_of(path):
        is_missing = problem == os.strerror(errno.ENOENT)
        kind = NotFoundError if is_missing else InputError
        raise kind(f"{path}: {problem}")
