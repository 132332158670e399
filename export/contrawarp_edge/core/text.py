"""Text that terminals and databases can take."""

from __future__ import annotations


def printable(text: object) -> str:
    """Text that fits on one line of any terminal: control characters become ``?``."""
    return "".join(c if c.isprintable() else "?" for c in str(text))


def is_text(path: str) -> bool:
    """Whether SQLite can hold a path: names of files may be no valid UTF-8."""
    try:
        path.encode()
    except UnicodeEncodeError:
        return False
    return True


def as_text(path: str) -> str:
    """A path with what SQLite cannot hold of it replaced; see ``is_text``."""
    return path.encode(errors="replace").decode()
