"""The folder for images that clients add; clients never choose a name in it."""

from __future__ import annotations

import os
import secrets
from pathlib import Path


class Uploads:
    """Files named by their hash, in one folder.

    Args:
        folder: Where; created with the first file.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder.resolve()

    def path(self, sha256: str, extension: str) -> Path:
        """The place of a file with some content."""
        return self._folder / f"{sha256}.{extension}"

    def save(self, path: Path, data: bytes) -> None:
        """Writes a file, whole or not at all."""
        self._folder.mkdir(exist_ok=True)
        draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
        try:
            with draft.open("wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            draft.replace(path)
        finally:
            draft.unlink(missing_ok=True)

    def remove(self, path: str) -> None:
        """Removes a file, if it is one of this folder; others are not touched."""
        if Path(path).parent.resolve() == self._folder:
            Path(path).unlink(missing_ok=True)
