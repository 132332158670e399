"""The errors that a command turns into a single line and exit code 2."""

from __future__ import annotations

from pathlib import Path


class InputError(ValueError):
    """Something the user gave cannot be used; the message says what and what to do."""


class StorageError(InputError):
    """What was stored cannot be read, or something cannot be stored."""


class FullError(StorageError):
    """There is no space left to store something."""


class Damage(Exception):
    """Something is not as it was written; the text does not name the gallery."""


class DamagedError(StorageError):
    """A gallery is damaged; the message names it, perhaps the image, and what to do."""

    def __init__(self, gallery: Path, what: object) -> None:
        super().__init__(
            f"{gallery}: {what}; `contrawarp-edge check {gallery}` says what to do"
        )


class MovedError(StorageError):
    """A file is no longer where it was opened."""
