"""The errors that a command turns into a single line and exit code 2."""

from __future__ import annotations


class InputError(ValueError):
    """Something the user gave cannot be used; the message says what and what to do."""


class StorageError(InputError):
    """What was stored cannot be read, or something cannot be stored."""


class FullError(StorageError):
    """There is no space left to store something."""
