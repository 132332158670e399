"""What is behind a path that was stored: an image file, or a frame of a video."""

from __future__ import annotations

import io
import os
from pathlib import Path

from PIL import Image

from contrawarp_edge.inputs.images import read_rgb
from contrawarp_edge.inputs.video import frame_at, split_frame_path


def read_original(path: Path | str) -> Image.Image:
    """Decodes the picture behind a path.

    Args:
        path: An image file, or a frame of a video such as ``clip.mp4#t=12.500``.

    Returns:
        An image of mode ``RGB``, upright.

    Raises:
        InputError: If it is gone or cannot be decoded.
    """
    frame = _frame_at(path)
    return read_rgb(path) if frame is None else frame_at(*frame)


def small_jpeg(path: Path | str, side: int, quality: int = 85) -> bytes:
    """The picture behind a path as a JPEG without metadata.

    Args:
        path: As for ``read_original``.
        side: Most pixels of height and width.
        quality: Of the JPEG, 1 to 95.

    Raises:
        InputError: If it is gone or cannot be decoded.
    """
    image = read_original(path)
    image.thumbnail((side, side))
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()


def original_file(path: Path | str) -> Path:
    """The file in which the picture behind a path is: for a frame, the video."""
    frame = _frame_at(path)
    return Path(path if frame is None else frame[0])


def original_exists(path: Path | str) -> bool:
    """Whether the file behind a path is there: a link too, and the video of a frame.

    Raises:
        OSError: If that cannot be known, for want of permission or of the disk.
    """
    frame = split_frame_path(str(path))
    for name in [path] if frame is None else [path, frame[0]]:
        try:
            os.lstat(name)
            return True
        except (FileNotFoundError, NotADirectoryError, ValueError):
            continue  # no file can have what is a ValueError: a name with a zero byte
    return False


def has_entries(folder: Path | str) -> bool:
    """Whether there is anything in a folder, or a file has taken its place.

    Raises:
        OSError: If it is missing or cannot be looked into.
    """
    try:
        with os.scandir(folder) as entries:
            return next(entries, None) is not None
    except NotADirectoryError:
        return True


def _frame_at(path: Path | str) -> tuple[str, float] | None:
    frame = split_frame_path(str(path))
    return None if os.path.lexists(path) else frame
