"""The files to embed, one after the other, however many there are."""

from __future__ import annotations

import glob
import hashlib
import math
import os
import stat
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from contrawarp_edge.core.errors import InputError, NotFoundError
from contrawarp_edge.core.regular_files import check_regular
from contrawarp_edge.inputs.images import image_extensions, iter_images
from contrawarp_edge.inputs.others import kind_of
from contrawarp_edge.inputs.video import VIDEO_EXTENSIONS, estimate_frames, is_video

_CHUNK = 1 << 16
STDIN = Path("-")

_OnOther = Callable[[Path], None]


@dataclass(frozen=True)
class Sources:
    """Files, folders, patterns and lists of files.

    Iterating yields each path once, and remembers about 90 bytes of each for that.
    Files of other kinds in folders, or that a pattern fits, are passed over and
    counted. What cannot be used at all, such as a folder that cannot be listed or an
    impossible name in a list, is yielded too: it is skipped by whoever reads images.

    Attributes:
        paths: Files, folders with their sub-folders, and patterns such as
            ``"faces/**/*.jpg"``.
        lists: Files, or pipes, that name a file or folder in each line; ``-`` is
            standard input.
        null: Names in lists end with a zero byte instead of a line end.
        every: Seconds between two frames of a video; videos are passed over if None.
        others: How many files of which other kinds the last complete iteration passed
            over.
    """

    paths: Sequence[Path] = ()
    lists: Sequence[Path] = ()
    null: bool = False
    every: float | None = None
    others: Counter[str] = field(default_factory=Counter, compare=False)

    def __post_init__(self) -> None:
        if not self.paths and not self.lists:
            raise InputError("name images, folders or a list of them")
        for path in self.paths:
            if not _is_pattern(path):
                _mode_of(path)
        for path in self.lists:
            if path != STDIN:
                _check_list(path)
        if self.every is not None and not 0 < self.every < math.inf:
            raise InputError(f"{self.every}: not a time above 0 seconds")

    def __iter__(self) -> Iterator[Path]:
        seen: set[bytes] = set()
        others: Counter[str] = Counter()

        def on_other(path: Path) -> None:
            if _is_new(path, seen):
                others[kind_of(path)] += 1

        for path in self._all(on_other):
            if _is_new(path, seen):
                yield path
        self.others.clear()
        self.others.update(others)

    def count(self) -> int | None:
        """How many images there are, with frames of videos; None if not repeatable."""
        if not all(path != STDIN and path.is_file() for path in self.lists):
            return None
        return sum(
            estimate_frames(path, self.every) if self.every and is_video(path) else 1
            for path in self
        )

    def _all(self, on_other: _OnOther) -> Iterator[Path]:
        for path in self.paths:
            yield from self._expanded(path, on_other)
        for path in self.lists:
            with (
                nullcontext(sys.stdin.buffer) if path == STDIN else path.open("rb") as f
            ):
                for name in _names(f, b"\0" if self.null else b"\n"):
                    yield from self._below(Path(os.fsdecode(name)), on_other)

    def _below(self, path: Path, on_other: _OnOther) -> Iterator[Path]:
        if os.path.isdir(path):  # pathlib's raises on impossible names
            yield from iter_images(path, self._extensions, on_other)
        else:
            yield path

    def _expanded(self, path: Path, on_other: _OnOther) -> Iterator[Path]:
        if not _is_pattern(path):
            yield from self._below(path, on_other)
            return
        yield from _unlisted(path)
        for name in glob.iglob(str(path), recursive=True):
            found = Path(name)
            if os.path.isdir(found):
                if "**" not in path.parts:  # which comes to its files by itself
                    yield from iter_images(found, self._extensions, on_other)
            elif found.suffix.lower() in self._extensions:
                yield found
            else:
                on_other(found)

    @property
    def _extensions(self) -> frozenset[str]:
        more = VIDEO_EXTENSIONS if self.every else frozenset()
        return image_extensions() | more


def _is_new(path: Path, seen: set[bytes]) -> bool:
    digest = hashlib.blake2b(os.fsencode(path), digest_size=16).digest()
    before = len(seen)
    seen.add(digest)
    return len(seen) > before


def _is_pattern(path: Path) -> bool:
    return glob.has_magic(str(path)) and not os.path.lexists(path)


def _mode_of(path: Path) -> int:
    try:
        return path.stat().st_mode
    except FileNotFoundError as error:
        raise NotFoundError(f"{path}: no such file or folder") from error
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}") from error


def _check_list(path: Path) -> None:
    # A pipe is wanted on purpose, as of `--list <(find ...)`; devices may never end.
    if not stat.S_ISFIFO(_mode_of(path)):
        check_regular(path)


def _unlisted(pattern: Path) -> Iterator[Path]:
    """Folders that a pattern leads to but that cannot be listed; glob is silent."""
    for folders in (pattern, *pattern.parents):
        if folders == pattern and pattern.name != "**":
            continue
        for name in glob.iglob(f"{folders}{os.sep}", recursive=True):
            try:
                os.scandir(name).close()
            except OSError:
                yield Path(name)
        if not glob.has_magic(str(folders)):
            break


def _names(file: BinaryIO, end: bytes) -> Iterator[bytes]:
    rest = b""
    while chunk := file.read(_CHUNK):
        *names, rest = (rest + chunk).split(end)
        yield from filter(None, map(_trimmed if end == b"\n" else bytes, names))
        rest = rest[:_CHUNK]  # more is no name, but may be a list of another kind
    if last := _trimmed(rest) if end == b"\n" else rest:
        yield last


def _trimmed(line: bytes) -> bytes:
    """A line's name; if it has zero bytes, with the first, which no file can have."""
    name = line.removesuffix(b"\r").removeprefix(b"\xef\xbb\xbf")
    before, zero, _ = name.partition(b"\0")
    return before + zero
