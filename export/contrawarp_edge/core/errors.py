"""The errors of this package; parts that have narrower ones define them.

    ContrawarpError
    ├── InputError (a ValueError)  what was given cannot be used
    │   ├── NotApplicableError     it can be used, but not for what was asked
    │   ├── NotFoundError          what was named is not there
    │   └── StorageError           what was stored cannot be read, or nothing be stored
    │       ├── BusyError          another process is at it; try again
    │       ├── DamagedError       it is not as it was written
    │       ├── FullError          there is no space left
    │       └── MovedError         it is no longer where it was opened
    └── Damage                     the same as DamagedError, before the file is known

A command turns each into one line and exit code 2; the service chooses the status of
its answer by the type.
"""

from __future__ import annotations

from pathlib import Path


class ContrawarpError(Exception):
    """Something could not be done; the message says what, and what to do."""


class InputError(ContrawarpError, ValueError):
    """Something the user gave cannot be used; the message says what and what to do."""


class NotApplicableError(InputError):
    """What was given is whole, but what was asked makes no sense of it."""


class NotFoundError(InputError):
    """What was named, such as a file or an image's id, is not there."""


class StorageError(InputError):
    """What was stored cannot be read, or something cannot be stored.

    An ``InputError``, since it was the user who named the place: whoever handles files
    that cannot be used need not tell the reasons apart.
    """


class BusyError(StorageError):
    """Another process is at work on it; trying again later helps."""


class FullError(StorageError):
    """There is no space left to store something."""


class DamagedError(StorageError):
    """A gallery is damaged; the message names it, perhaps the image, and what to do."""

    def __init__(self, gallery: Path, what: object) -> None:
        super().__init__(
            f"{gallery}: {what}; `contrawarp-edge check {gallery}` says what to do"
        )


class MovedError(StorageError):
    """A file is no longer where it was opened."""


class Damage(ContrawarpError):
    """Something is not as it was written; the text does not name the gallery."""
