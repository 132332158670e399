"""What the crops of a photo are called."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

# In bytes. File systems take 255, and a file that is being written needs some of them;
# the end of a crop's name has 40 or less.
_LONGEST = 240
_LONGEST_STEM = 180


def stem_of(source: Path, folders: Sequence[Path]) -> PurePosixPath:
    """Where the crops of a file go below the target folder, without a suffix.

    Files of a given folder keep their place in it; others are put at the top.
    """
    for folder in folders:
        if source.is_relative_to(folder):
            return PurePosixPath(source.relative_to(folder).with_suffix("").as_posix())
    return PurePosixPath(source.stem)


def distinct(stem: PurePosixPath, source: Path) -> PurePosixPath:
    """A name of its own for a file that shares one, or whose name is too long."""
    digest = hashlib.sha256(os.fsencode(source)).hexdigest()
    start = stem.name.encode()[:_LONGEST_STEM].decode(errors="ignore")
    return stem.with_name(f"{start}-{digest[:8]}")


def is_too_long(name: str) -> bool:
    """Whether a file system may not take a name from ``crop_names``."""
    return len(PurePosixPath(name).name.encode()) > _LONGEST


def crop_names(
    stem: PurePosixPath,
    count: int,
    *,
    is_numbered: bool,
    time: float | None = None,
    tracks: Sequence[int] = (),
) -> list[str]:
    """Names the crops of a photo or frame.

    Args:
        stem: From ``stem_of``.
        count: Number of faces.
        is_numbered: Whether a photo's crops are ``a_1.jpg``, ``a_2.jpg`` rather than
            ``a.jpg``.
        time: Of a frame in seconds; its crops are ``clip_t00012.500_track1.jpg``.
        tracks: Of its faces.
    """
    if time is not None:
        suffixes = [f"_t{time:09.3f}_track{track}" for track in tracks]
    elif is_numbered:
        suffixes = [f"_{number}" for number in range(1, count + 1)]
    else:
        suffixes = [""] * count
    return [str(stem.with_name(f"{stem.name}{suffix}.jpg")) for suffix in suffixes]
