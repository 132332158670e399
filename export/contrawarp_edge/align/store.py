"""What was aligned so far: an SQLite file in the folder of the crops."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from contrawarp_edge.align.geometry import Box
from contrawarp_edge.core.errors import InputError
from contrawarp_edge.core.sqlite.connections import PlacedConnection, place_of
from contrawarp_edge.core.sqlite.transactions import sqlite_errors, transaction

RECORD = ".align.sqlite"

# `path` names a photo, or a frame such as clip.mp4#t=12.500, and `source` the file.
_SCHEMA = """
BEGIN;
CREATE TABLE settings (json TEXT NOT NULL);
CREATE TABLE photos (
    path TEXT PRIMARY KEY, source TEXT NOT NULL, sha256 TEXT NOT NULL,
    reasons TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE faces (
    file TEXT PRIMARY KEY, path TEXT NOT NULL, source TEXT NOT NULL, time REAL,
    track INTEGER, score REAL NOT NULL, points TEXT NOT NULL, box TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX photos_source ON photos (source);
CREATE INDEX faces_path ON faces (path);
COMMIT;
"""
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
        if folder.exists() and not folder.is_dir():
            raise InputError(f"{folder}: is a file; crops need a folder")
        if not self._file.exists():
            if folder.is_dir() and any(folder.iterdir()):
                raise InputError(
                    f"{folder}: holds files that `align` did not write; give a new "
                    "folder"
                )
            folder.mkdir(parents=True, exist_ok=True)
        with sqlite_errors(self._file):
            self._connection = sqlite3.connect(
                self._file, isolation_level=None, factory=PlacedConnection
            )
            self._connection.place = place_of(self._file, is_immutable=False)
            self._connection.execute("PRAGMA journal_mode = WAL")
            self._connection.execute("PRAGMA synchronous = NORMAL")
            self._connection.execute("PRAGMA secure_delete = ON")
            self._check(folder, json.dumps(settings))
            self._erase()

    def _check(self, folder: Path, settings: str) -> None:
        tables = "SELECT count(*) FROM sqlite_master"
        if self._connection.execute(tables).fetchone() == (0,):
            self._connection.executescript(_SCHEMA)
        row = self._connection.execute("SELECT json FROM settings").fetchone()
        if row is None:
            self._connection.execute("INSERT INTO settings VALUES (?)", (settings,))
        elif row[0] != settings:
            raise InputError(
                f"{folder}: was made with other settings, {row[0]}; use the same or "
                "give a new folder"
            )

    def close(self) -> None:
        """Closes the file."""
        self._connection.close()

    def sha256_of(self, path: str) -> str | None:
        """The hash with which a photo or frame was done, or None."""
        query = "SELECT sha256 FROM photos WHERE path = ?"
        row = self._connection.execute(query, (path,)).fetchone()
        return row[0] if row else None

    def owner_of(self, file: str) -> str | None:
        """The photo that a crop comes from, None if there is no such crop."""
        query = "SELECT path FROM faces WHERE file = ?"
        row = self._connection.execute(query, (file,)).fetchone()
        return row[0] if row else None

    def last_track(self) -> int:
        """The highest number of a track, 0 if there is none."""
        query = "SELECT coalesce(max(track), 0) FROM faces"
        return int(self._connection.execute(query).fetchone()[0])

    def faces_of(self, path: str) -> list[FaceRow]:
        """The crops of a photo or frame."""
        return list(self._faces("WHERE path = ?", (path,)))

    def faces(self) -> Iterator[FaceRow]:
        """All crops, by file."""
        return self._faces("ORDER BY file", ())

    def skipped(self) -> Iterator[tuple[str, str]]:
        """Photos and frames, each with why it, or a face of it, was not used."""
        query = "SELECT path, reasons FROM photos WHERE reasons != '[]' ORDER BY path"
        for path, reasons in self._connection.execute(query):
            for reason in json.loads(reasons):
                yield path, reason

    def reasons_of(self, path: str) -> list[str]:
        """Why a photo or frame, or faces of it, were not used."""
        query = "SELECT reasons FROM photos WHERE path = ?"
        row = self._connection.execute(query, (path,)).fetchone()
        return json.loads(row[0]) if row else []

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
        with sqlite_errors(self._file), transaction(self._connection, "IMMEDIATE"):
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
        return self._connection.execute(query).fetchall()

    def knows(self, source: str) -> bool:
        """Whether there is anything about a photo or video."""
        query = "SELECT 1 FROM photos WHERE source = ?"
        return self._connection.execute(query, (source,)).fetchone() is not None

    def faces_of_source(self, source: str) -> list[FaceRow]:
        """The crops of a photo, or of all frames of a video, by frame."""
        clause = f"WHERE path IN {_OF_SOURCE} ORDER BY path, file"
        return list(self._faces(clause, {"source": source}))

    def rename(self, source: str, new: str) -> None:
        """Gives a photo or video another path; what is known of it stays."""
        values = {"source": source, "new": new}
        change = "path = :new || substr(path, length(:source) + 1), source = :new"
        with sqlite_errors(self._file), transaction(self._connection, "IMMEDIATE"):
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
        with sqlite_errors(self._file):
            for source in sources:
                key = {"source": source}
                with transaction(self._connection, "IMMEDIATE"):
                    self._delete_faces(f"path IN {_OF_SOURCE}", key, remove)
                    query = "DELETE FROM photos WHERE source = :source"
                    self._connection.execute(query, key)
                    self._connection.execute("PRAGMA user_version = 1")
            self._erase()

    def _erase(self) -> None:
        """Writes the file anew if something was forgotten, in this run or before.

        secure_delete leaves what SQLite has moved from one page to another.
        """
        if self._connection.execute("PRAGMA user_version").fetchone() == (1,):
            self._connection.execute("VACUUM")
            self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            self._connection.execute("PRAGMA user_version = 0")

    def _delete_faces(
        self, which: str, values: dict[str, str], remove: Callable[[str], None]
    ) -> None:
        query = f"DELETE FROM faces WHERE {which} RETURNING file"
        for (file,) in self._connection.execute(query, values).fetchall():
            remove(file)

    def _faces(
        self, clause: str, values: tuple[str, ...] | dict[str, str]
    ) -> Iterator[FaceRow]:
        columns = "file, path, source, time, track, score, points, box"
        query = f"SELECT {columns} FROM faces {clause}"
        for *facts, points, box in self._connection.execute(query, values):
            file, path, source, time, track, score = facts
            yield FaceRow(
                file,
                path,
                source,
                time,
                track,
                score,
                json.loads(points),
                tuple(json.loads(box)),
            )
