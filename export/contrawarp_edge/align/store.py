"""What was aligned so far: an SQLite file in the folder of the crops."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from contrawarp_edge.align.geometry import Box
from contrawarp_edge.align.record_file import RECORD, erase, open_record, record_errors
from contrawarp_edge.core.errors import Damage
from contrawarp_edge.core.sqlite.transactions import transaction

_Values = tuple[str, ...] | dict[str, str]

_OF_SOURCE = "(SELECT path FROM photos WHERE source = :source)"


@dataclass(frozen=True)
class FaceRow:
    """A crop and where it comes from.

    Attributes:
        file: Of the crop, below the folder, with ``/``.
        path: The photo, or frame of a video.
        source: The photo or video.
        time: Of the frame in seconds, None for photos.
        track: Equal for neighbouring frames of one face, None for photos.
        score: The detector's, 0 to 1.
        points: ``FIVE_POINTS`` as fractions of the crop, ten numbers.
        box: Of the face in pixels of the photo.
    """

    file: str
    path: str
    source: str
    time: float | None
    track: int | None
    score: float
    points: Sequence[float]
    box: Box


class AlignRecord:
    """The record of a folder of crops.

    What a method wrote outlives the process, however it ends.

    Args:
        folder: Created if it is not there.
        settings: What decides how crops look; those of a folder are the same for ever.

    Raises:
        InputError: If the folder holds something else, or was made with other settings.
    """

    def __init__(self, folder: Path, settings: dict[str, object]) -> None:
        self._file = folder / RECORD
        self._connection = open_record(folder, json.dumps(settings))

    def close(self) -> None:
        """Closes the file."""
        self._connection.close()

    def sha256_of(self, path: str) -> str | None:
        """The hash with which a photo or frame was done, or None."""
        query = "SELECT sha256 FROM photos WHERE path = ?"
        found: str | None = self._first(query, (path,))
        return found

    def owner_of(self, file: str) -> str | None:
        """The photo that a crop comes from, None if there is no such crop."""
        query = "SELECT path FROM faces WHERE file = ?"
        found: str | None = self._first(query, (file,))
        return found

    def last_track(self) -> int:
        """The highest number of a track, 0 if there is none."""
        return self._first("SELECT max(track) FROM faces") or 0

    def faces_of(self, path: str) -> list[FaceRow]:
        """The crops of a photo or frame."""
        return list(self._faces("WHERE path = ?", (path,)))

    def faces(self) -> Iterator[FaceRow]:
        """All crops, by file."""
        return self._faces("ORDER BY file")

    def skipped(self) -> Iterator[tuple[str, str]]:
        """Photos and frames, each with why it, or a face of it, was not used."""
        query = "SELECT path, reasons FROM photos WHERE reasons != '[]' ORDER BY path"
        for path, reasons in self._rows(query):
            for reason in self._parsed(reasons):
                yield path, reason

    def reasons_of(self, path: str) -> list[str]:
        """Why a photo or frame, or faces of it, were not used."""
        query = "SELECT reasons FROM photos WHERE path = ?"
        found: list[str] = self._parsed(self._first(query, (path,)) or "[]")
        return found

    def store(
        self,
        path: str,
        source: str,
        sha256: str,
        reasons: Sequence[str],
        faces: Sequence[FaceRow],
        remove: Callable[[str], None],
    ) -> None:
        """Writes what became of a photo or frame, over what was known of it.

        Other frames of a video that has changed are forgotten. They stay if it cannot
        be read, from some point on: then it has no hash.

        Args:
            path: The photo or frame.
            source: The photo or video.
            sha256: Of the source.
            reasons: Why it, or faces of it, were not used.
            faces: Its crops.
            remove: Called with each crop that was known before. A run that is killed
                meanwhile has written nothing.
        """
        old = (
            "(SELECT path FROM photos WHERE path = :path "
            "OR (source = :source AND sha256 != :sha256 AND :sha256 != ''))"
        )
        key = {"path": path, "source": source, "sha256": sha256}
        rows = [
            {
                **asdict(face),
                "points": json.dumps([*face.points]),
                "box": json.dumps(face.box),
            }
            for face in faces
        ]
        with record_errors(self._file), transaction(self._connection, "IMMEDIATE"):
            self._delete_faces(f"path IN {old}", key, remove)
            self._connection.execute(f"DELETE FROM photos WHERE path IN {old}", key)
            self._connection.execute(
                "INSERT INTO photos VALUES (:path, :source, :sha256, :reasons)",
                {**key, "reasons": json.dumps([*reasons])},
            )
            self._connection.executemany(
                "INSERT INTO faces VALUES (:file, :path, :source, :time, :track, "
                ":score, :points, :box)",
                rows,
            )

    def sources(self) -> list[tuple[str, str]]:
        """All photos and videos with their hash, empty if they could not be read."""
        query = "SELECT source, max(sha256) FROM photos GROUP BY source"
        return list(self._rows(query))

    def knows(self, source: str) -> bool:
        """Whether there is anything about a photo or video."""
        query = "SELECT 1 FROM photos WHERE source = ?"
        return self._first(query, (source,)) is not None

    def faces_of_source(self, source: str) -> list[FaceRow]:
        """The crops of a photo, or of all frames of a video, by frame."""
        clause = f"WHERE path IN {_OF_SOURCE} ORDER BY path, file"
        return list(self._faces(clause, {"source": source}))

    def rename(self, source: str, new: str) -> None:
        """Gives a photo or video another path; what is known of it stays."""
        values = {"source": source, "new": new}
        change = "path = :new || substr(path, length(:source) + 1), source = :new"
        with record_errors(self._file), transaction(self._connection, "IMMEDIATE"):
            for table in ("faces", "photos"):
                self._connection.execute(
                    f"UPDATE {table} SET {change} WHERE path IN {_OF_SOURCE}", values
                )

    def forget(self, sources: Iterable[str], remove: Callable[[str], None]) -> None:
        """Erases what is known of photos and videos.

        Args:
            sources: Their paths.
            remove: Called with each of their crops. A run that is killed meanwhile has
                forgotten nothing.
        """
        with record_errors(self._file):
            for source in sources:
                key = {"source": source}
                with transaction(self._connection, "IMMEDIATE"):
                    self._delete_faces(f"path IN {_OF_SOURCE}", key, remove)
                    query = "DELETE FROM photos WHERE source = :source"
                    self._connection.execute(query, key)
                    self._connection.execute("INSERT INTO forgotten DEFAULT VALUES")
            erase(self._connection)

    def _delete_faces(
        self, which: str, values: dict[str, str], remove: Callable[[str], None]
    ) -> None:
        query = f"DELETE FROM faces WHERE {which} RETURNING file"
        for (file,) in self._connection.execute(query, values).fetchall():
            remove(file)

    def _faces(self, clause: str, values: _Values = ()) -> Iterator[FaceRow]:
        columns = "file, path, source, time, track, score, points, box"
        query = f"SELECT {columns} FROM faces {clause}"
        for row in self._rows(query, values):
            file, path, source, time, track, score, points, box = row
            points, box = self._parsed(points), tuple(self._parsed(box))
            yield FaceRow(file, path, source, time, track, score, points, box)

    def _rows(self, query: str, values: _Values = ()) -> Iterator[tuple[Any, ...]]:
        with record_errors(self._file):
            cursor = self._connection.execute(query, values)
        while True:
            with record_errors(self._file):
                row = cursor.fetchone()
            if row is None:
                return
            yield row

    def _first(self, query: str, values: _Values = ()) -> Any:
        return next(self._rows(query, values), (None,))[0]

    def _parsed(self, text: str) -> Any:
        with record_errors(self._file):
            try:
                return json.loads(text)
            except ValueError as error:
                raise Damage("a row of it cannot be read") from error
