"""The pictures that clients of the service added, in a folder beside the gallery."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from contrawarp_edge.core.drafts import remove_stale_drafts
from contrawarp_edge.core.files import atomic_write, storage_errors
from contrawarp_edge.gallery.store.gallery_file import beside

_SUFFIX = ".uploads"
_NAME = re.compile(r"[0-9a-f]{64}\.[a-z]+")


class Uploads:
    """Files named by their hash, in one folder; clients never choose a name in it.

    Args:
        gallery: The gallery file. The folder is created with the first picture, and
            belongs to the gallery wherever both are moved.
    """

    def __init__(self, gallery: Path) -> None:
        self._folder = beside(gallery, _SUFFIX)

    def path(self, sha256: str, extension: str) -> Path:
        """The place of a file with some content."""
        return self._folder / f"{sha256}.{extension}"

    def save(self, path: Path, data: bytes) -> None:
        """Writes a file, whole or not at all.

        Raises:
            StorageError: If it cannot be written.
        """
        with storage_errors(f"{self._folder}: cannot be made"):
            self._folder.mkdir(exist_ok=True)
        atomic_write(path, data)

    def find(self, path: str) -> Path | None:
        """The file of this folder that a path of the gallery means, None if none.

        The path may say where the folder was before it was moved.
        """
        name = _name_in(path)
        file = self._folder / name if name else None
        return file if file is not None and file.is_file() else None

    def sweep(self, paths: Iterable[str], *, drafts: bool = False) -> int:
        """Removes the files that are no image of the gallery any more.

        Args:
            paths: Of all images; nobody may add one meanwhile.
            drafts: Remove unfinished files too; nobody may be writing one.

        Returns:
            How many were removed.
        """
        if not self._folder.is_dir():
            return 0
        names = {file.name for file in self._folder.iterdir()}
        strays = {name for name in names if _NAME.fullmatch(name)}
        if strays:
            strays.difference_update(filter(None, map(_name_in, paths)))
        if drafts:
            remove_stale_drafts(self._folder)
        for name in strays:
            (self._folder / name).unlink(missing_ok=True)
        return len(strays)


def _name_in(path: str) -> str | None:
    """The name of a file in the folder of some gallery, None for other paths."""
    folder, _, name = path.replace("\\", "/").rpartition("/")
    return name if folder.endswith(_SUFFIX) and _NAME.fullmatch(name) else None
