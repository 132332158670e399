"""Text that terminals and databases can take."""

from __future__ import annotations

from pathlib import Path


def printable(text: object) -> str:
    """Text that fits on one line of any terminal: control characters become ``?``."""
    return "".join(c if c.isprintable() else "?" for c in str(text))


def is_text(text: str) -> bool:
    """Whether a text is valid Unicode, as SQLite needs: names of files may be none."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def as_text(path: Path | str) -> str:
    """A path as SQLite can hold it: what is no valid Unicode becomes ``?``."""
    return str(path).encode(errors="replace").decode()
