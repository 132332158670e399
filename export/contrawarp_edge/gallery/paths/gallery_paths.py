"""The images of a gallery by their paths: below a folder, moved, missing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from sqlite3 import Connection

from contrawarp_edge.core.errors import InputError
from contrawarp_edge.core.sqlite.transactions import paged, transaction
from contrawarp_edge.core.text import is_text
from contrawarp_edge.gallery.paths import settling
from contrawarp_edge.gallery.paths.places import (
    Places,
    absolute,
    below,
    is_there,
    shown,
)
from contrawarp_edge.gallery.store import (
    meta_table,
    record_rows,
    row_checks,
    statements,
)
from contrawarp_edge.gallery.store.opened import OpenedFile
from contrawarp_edge.inputs.video import frame_path, split_frame_path

_MOST_TWINS = 16
_LAST = "\U0010ffff"

PathRow = tuple[int, str, str]
"""Id, path and hash of an image."""


@dataclass(frozen=True)
class Missing:
    """How many originals are not where the gallery says.

    Attributes:
        missing: Number of images whose file is not there, of those looked at.
        looked_at: Number of images that were looked at.
        images: Number of images in the gallery.
        example: One that is not there, as users see it.
        is_settled: Whether it is known to which folder paths are relative.
    """

    missing: int
    looked_at: int
    images: int
    example: str
    is_settled: bool

    def __str__(self) -> str:
        text = f"{self.missing:,} of {self.looked_at:,} originals"
        if self.looked_at < self.images:
            text += " looked at"
        text += f" cannot be found, such as {self.example}"
        if not self.is_settled and self.missing == self.looked_at:
            text += "; start from the folder from which they were embedded"
        return text


class GalleryPaths:
    """The paths of one gallery: stored in one form, given and taken in another.

    Args:
        file: The gallery, which is open.
    """

    def __init__(self, file: OpenedFile) -> None:
        self._file = file
        self._gallery = Path(absolute(file.place))
        self._places = settling.places_of(self._gallery, file.meta)
        self._lineage = file.lineage

    @property
    def places(self) -> Places:
        """How paths are stored now."""
        # Another process may have settled them, or put another file there.
        if not self._places.is_settled or self._lineage != self._file.lineage:
            self._lineage = self._file.lineage
            read = partial(settling.read, gallery=self._gallery)
            self._places = self._file.read(read)
        return self._places

    @property
    def model(self) -> Path | None:
        """Where the model was when images were last embedded with it, if known."""
        stored = self._file.read(meta_table.entries).get("model_path")
        return None if stored is None else Path(self.places.absolute(stored))

    @model.setter
    def model(self, path: Path) -> None:
        stored = self.places.stored(path)
        with self._file.writing() as connection:
            meta_table.set_entries(connection, {"model_path": stored})

    def settle(self) -> None:
        """Makes relative paths relative to the gallery's folder, if they are not."""
        if not self._places.is_settled:
            with self._file.writing() as connection:
                self._places = settling.settle(connection, self._gallery)

    def stored(self, path: Path | str) -> str:
        """The form in which a path is stored.

        Raises:
            InputError: If SQLite cannot hold it.
        """
        places = self.places
        stored = places.stored(path)
        if not is_text(stored):
            raise InputError(f"{path}: its name is not valid UTF-8; rename it")
        if not places.is_settled:
            for form in self.forms(path):
                if self._file.read(partial(statements.has_path, path=form)):
                    return form
        return stored

    def forms(self, path: Path | str) -> Iterator[str]:
        """The forms in which a path may be stored already."""
        places = self.places
        for form in places.stored_forms(path):
            is_it = places.is_settled or places.absolute(form) == absolute(path)
            if is_it and is_text(form):
                yield form

    def shown(self, stored: str) -> str:
        """A stored path as it opens from the current folder."""
        return self.places.shown(stored)

    def rows(self, folder: Path | str | None = None) -> Iterator[PathRow]:
        """The images below a folder, or all, by their stored paths."""
        places, prefix, start = self.places, "", ""
        if folder is not None:
            prefix, start = places.prefix(folder), places.canonical(folder)
        for id, stored, sha256 in self._pages(prefix):
            path = places.absolute(stored)
            if not start or below(path, start) is not None:
                yield id, shown(path), sha256

    def frames(self, video: Path | str) -> Iterator[PathRow]:
        """The frames of a video."""
        for id, stored, sha256 in self._pages(_all_frames(self.stored(video))):
            yield id, self.shown(stored), sha256

    def _pages(self, prefix: str) -> Iterator[PathRow]:
        pages = record_rows.pages_of_paths(self._file.read, prefix)
        for rows in paged(pages, self._file.path):
            yield from rows

    def twins(self, path: Path | str, sha256: str) -> list[tuple[int, str]]:
        """Id and path of some images with the content of a file or of a frame."""
        frame = split_frame_path(str(path))
        find = partial(_twins, sha256=sha256, time=frame and frame[1])
        found = self._file.read(find)
        return [(id, self.shown(stored)) for id, stored in found]

    def move(self, paths: Mapping[int, Path]) -> None:
        """Gives images other paths; whatever else has one of these is deleted.

        They keep their embeddings and metadata, and may take each other's paths.
        """
        stored = {id: self.stored(path) for id, path in paths.items()}
        with self._file.writing() as connection:
            statements.check_rows(connection, stored)
            statements.next_revision(connection)
            settling.park(connection, stored)
            for id, path in stored.items():
                connection.execute("DELETE FROM images WHERE path = ?", (path,))
                connection.execute(
                    "UPDATE images SET path = ? WHERE id = ?", (path, id)
                )
            statements.seal_rows(connection, stored)

    def missing(self, most: int = 200) -> Missing:
        """Looks whether originals are there, some of them if there are many.

        Args:
            most: Number of images to look for at most.
        """
        images, stored = self._file.read(partial(_some_paths, most=most))
        places = self.places
        paths = [places.absolute(path) for path in stored]
        gone = [path for path in paths if not is_there(path)]
        example = shown(gone[0]) if gone else ""
        return Missing(len(gone), len(paths), images, example, places.is_settled)


def _all_frames(video: str) -> str:
    """How the paths of all frames of a video begin."""
    return frame_path(video, 0).removesuffix("0.000")


def _twins(
    connection: Connection, sha256: str, time: float | None
) -> list[tuple[int, str]]:
    """Id and stored path of some images with a hash, and a time in their video.

    Raises:
        Damage: If one of them is damaged.
    """
    found: list[tuple[int, str]] = []
    after = ""
    while sha256 and len(found) < _MOST_TWINS:
        clause = "WHERE sha256 = ? AND path > ? ORDER BY path LIMIT 1"
        rows = row_checks.select(connection, clause, (sha256, after))
        if not rows:
            break
        after = rows[0].path.decode()
        if frame := split_frame_path(after):
            # Of each video one row is enough, however many frames it has.
            after = _all_frames(frame[0]) + _LAST
            if time is not None:
                clause = "WHERE path = ? AND sha256 = ?"
                values = (frame_path(frame[0], time), sha256)
                rows = row_checks.select(connection, clause, values)
                found += [(row.id, row.path.decode()) for row in rows]
        elif time is None:
            found.append((rows[0].id, after))
    return found


def _some_paths(connection: Connection, most: int) -> tuple[int, list[str]]:
    """How many images there are, and stored paths of at most ``most``, spread over."""
    with transaction(connection, "DEFERRED"):
        images = statements.count(connection)
        if images <= most:
            found = dict(statements.stored_paths(connection, "ORDER BY id"))
            return images, list(found.values())
        ends = connection.execute("SELECT min(id), max(id) FROM images")
        first, last = ends.fetchone()
        clause = "WHERE id >= ? ORDER BY id LIMIT 1"
        found = {}
        for k in range(most):
            id = first + (last - first) * k // most
            found |= dict(statements.stored_paths(connection, clause, (id,)))
        return images, list(found.values())
