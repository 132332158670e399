"""Damage in a gallery: found where something is read, named where the file is known."""

from __future__ import annotations

from pathlib import Path

from contrawarp_edge.errors import StorageError


class Damage(Exception):
    """Something is not as it was written; the text does not name the gallery."""


class DamagedError(StorageError):
    """A gallery is damaged; the message names it, perhaps the image, and what to do."""

    def __init__(self, gallery: Path, what: object) -> None:
        super().__init__(
            f"{gallery}: {what}; `contrawarp-edge check {gallery}` says what to do"
        )


def row_damage(id: int, path: bytes | None, what: str) -> Damage:
    """The damage of one image's row.

    Args:
        id: Of the row.
        path: As the row holds it, which helps to find the image.
        what: What is wrong.
    """
    name = f" ({path.decode(errors='replace')})" if path else ""
    return Damage(f"image {id}{name} is damaged: {what}")
