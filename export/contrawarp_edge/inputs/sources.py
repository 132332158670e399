"""The files to embed, one after the other, however many there are."""

from __future__ import annotations

import glob
import hashlib
import os
import sqlite3
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from contrawarp_edge.errors import InputError
from contrawarp_edge.images import image_extensions, iter_images
from contrawarp_edge.inputs.video import VIDEO_EXTENSIONS, estimate_frames, is_video

_CHUNK = 1 << 16
STDIN = Path("-")


@dataclass(frozen=True)
class Sources:
    """Files, folders, patterns and lists of files.

    Iterating yields each path once and holds no more than the names of one folder in
    memory. Files of other kinds in folders, or that a pattern fits, are passed over.

    Attributes:
        paths: Files, folders with their sub-folders, and patterns such as
            ``"faces/**/*.jpg"``.
        lists: Files that name a file or folder in each line; ``-`` is standard input.
        null: Names in lists end with a zero byte instead of a line end.
        every: Seconds between two frames of a video; videos are passed over if None.
    """

    paths: Sequence[Path] = ()
    lists: Sequence[Path] = ()
    null: bool = False
    every: float | None = None

    def __post_init__(self) -> None:
        if not self.paths and not self.lists:
            raise InputError("name images, folders or a list of them")
        for path in (*self.paths, *(path for path in self.lists if path != STDIN)):
            if not path.exists() and not _is_pattern(path):
                raise InputError(f"{path}: no such file or folder")
        if self.every is not None and not self.every > 0:
            raise InputError(f"{self.every}: not a time above 0 seconds")

    def __iter__(self) -> Iterator[Path]:
        return unique(self._all())

    def count(self) -> int | None:
        """How many images there are, with frames of videos; None if not repeatable."""
        if not all(path.is_file() for path in self.lists):
            return None
        return sum(
            estimate_frames(path, self.every) if self.every and is_video(path) else 1
            for path in self
        )

    def _all(self) -> Iterator[Path]:
        for path in self.paths:
            yield from self._expanded(path)
        for path in self.lists:
            with (
                nullcontext(sys.stdin.buffer) if path == STDIN else path.open("rb") as f
            ):
                for name in _names(f, b"\0" if self.null else b"\n"):
                    yield from self._below(Path(os.fsdecode(name)))

    def _below(self, path: Path) -> Iterator[Path]:
        if path.is_dir():
            yield from iter_images(path, self._extensions)
        else:
            yield path

    def _expanded(self, path: Path) -> Iterator[Path]:
        if not _is_pattern(path):
            yield from self._below(path)
            return
        for name in glob.iglob(str(path), recursive=True):
            found = Path(name)
            if found.is_dir():
                if "**" not in path.parts:  # which comes to its files by itself
                    yield from iter_images(found, self._extensions)
            elif found.suffix.lower() in self._extensions:
                yield found

    @property
    def _extensions(self) -> frozenset[str]:
        more = VIDEO_EXTENSIONS if self.every else frozenset()
        return image_extensions() | more


def unique(paths: Iterable[Path]) -> Iterator[Path]:
    """Yields each path once, remembering them in a temporary file."""
    with closing(sqlite3.connect("", isolation_level=None)) as seen:
        seen.execute("PRAGMA journal_mode = OFF")
        seen.execute("CREATE TABLE seen (hash BLOB PRIMARY KEY) WITHOUT ROWID")
        seen.execute("BEGIN")
        for path in paths:
            digest = hashlib.blake2b(os.fsencode(path), digest_size=16).digest()
            done = seen.execute("INSERT OR IGNORE INTO seen VALUES (?)", (digest,))
            if done.rowcount:
                yield path


def _is_pattern(path: Path) -> bool:
    return glob.has_magic(str(path)) and not os.path.lexists(path)


def _names(file: BinaryIO, end: bytes) -> Iterator[bytes]:
    rest = b""
    while chunk := file.read(_CHUNK):
        *names, rest = (rest + chunk).split(end)
        yield from filter(None, map(_trimmed if end == b"\n" else bytes, names))
    if last := _trimmed(rest) if end == b"\n" else rest:
        yield last


def _trimmed(line: bytes) -> bytes:
    return line.removesuffix(b"\r").removeprefix(b"\xef\xbb\xbf")
