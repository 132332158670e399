"""Frames of videos, decoded by PyAV, which is an optional extra."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from PIL import Image

from contrawarp_edge.core.errors import InputError
from contrawarp_edge.core.optional import required
from contrawarp_edge.core.regular_files import check_regular
from contrawarp_edge.inputs.images import MAX_PIXELS

VIDEO_EXTENSIONS = frozenset(
    [
        ".3gp",
        ".avi",
        ".flv",
        ".m4v",
        ".mkv",
        ".mov",
        ".mp4",
        ".mpeg",
        ".mpg",
        ".mts",
        ".ogv",
        ".webm",
        ".wmv",
    ]
)
"""Lower-case file extensions, with their dot, that are taken for videos."""

_FRAME_PATH = re.compile(r"(.+)#t=(\d+\.\d{3})", re.DOTALL)
_SAME_TIME = 1e-6


def is_video(path: Path) -> bool:
    """Whether a path is named like a video."""
    return path.suffix.lower() in VIDEO_EXTENSIONS


def frame_path(video: Path | str, seconds: float) -> str:
    """The path of a frame, such as ``clip.mp4#t=12.500``."""
    return f"{video}#t={seconds:.3f}"


def split_frame_path(path: str) -> tuple[str, float] | None:
    """The video and the time behind the path of a frame, None for other paths."""
    match = _FRAME_PATH.fullmatch(path)
    return None if match is None else (match[1], float(match[2]))


def frames(video: Path, every: float) -> Iterator[tuple[float, Image.Image]]:
    """Decodes what a video shows every so many seconds.

    Args:
        video: The file.
        every: Seconds between two frames, above 0.

    Yields:
        Times 0, ``every``, 2 ``every``, ... up to the last frame, in seconds from the
        first frame, each with the upright RGB image that is shown then.

    Raises:
        InputError: If the file cannot be decoded from some point on, or PyAV is
            missing.
    """
    count = 0
    with _opened(video) as (container, stream):
        start = _start(stream)
        shown = None
        for frame in container.decode(stream):
            if frame.time is None:
                continue
            while shown is not None and count * every < frame.time - start - _SAME_TIME:
                yield count * every, _to_image(shown, video)
                count += 1
            shown = frame
        while shown is not None and count * every <= shown.time - start + _SAME_TIME:
            yield count * every, _to_image(shown, video)
            count += 1
    if not count:
        raise InputError(f"{video}: no frame could be decoded")


def frame_times(video: Path, every: float) -> list[float]:
    """The times that ``frames`` yields for an undamaged video, without decoding it.

    Raises:
        InputError: If it is no video, or PyAV is missing.
    """
    with _opened(video) as (container, stream):
        times = [
            p.pts * p.time_base for p in container.demux(stream) if p.pts is not None
        ]
        last = float(max(times, default=-1)) - _start(stream)
    return [k * every for k in range(int((last + _SAME_TIME) // every) + 1)]


def estimate_frames(video: Path, every: float) -> int:
    """About how many frames there are, 1 if the file does not say; never raises."""
    try:
        with _opened(video) as (container, _):
            return int((container.duration or 0) / 1e6 / every) + 1
    except InputError:
        return 1


def frame_at(video: Path | str, seconds: float) -> Image.Image:
    """Decodes what a video shows at a time.

    Args:
        video: The file.
        seconds: From the first frame.

    Raises:
        InputError: If it cannot be decoded or is shorter, or PyAV is missing.
    """
    with _opened(video) as (container, stream):
        start = _start(stream)
        if seconds:
            container.seek(int((start + seconds) / stream.time_base), stream=stream)
        shown = None
        for frame in container.decode(stream):
            if frame.time is None:
                continue
            # Times in paths are rounded to a millisecond.
            if shown is not None and frame.time - start > seconds + 5e-4:
                break
            shown = frame
        if shown is None:
            raise InputError(f"{video}: no frame could be decoded")
        return _to_image(shown, video)


@contextmanager
def _opened(video: Path | str) -> Iterator[tuple[Any, Any]]:
    check_regular(video)
    av = required("av", "video", f"{video}: videos need PyAV")
    try:
        with av.open(str(video)) as container:
            if not container.streams.video:
                raise InputError(f"{video}: has no pictures in it")
            stream = container.streams.video[0]
            stream.thread_type = "AUTO"
            yield container, stream
    except InputError:
        raise
    except Exception as error:  # FFmpeg's errors, and what Pillow makes of a frame
        reason = getattr(error, "strerror", None) or str(error)
        raise InputError(f"{video}: {reason or type(error).__name__}") from error


def _start(stream: Any) -> float:
    return float((stream.start_time or 0) * stream.time_base)


def _to_image(frame: Any, video: Path | str) -> Image.Image:
    if frame.width * frame.height > MAX_PIXELS:
        raise InputError(
            f"{video}: {frame.width} x {frame.height} pixels are more than the "
            f"{MAX_PIXELS:,} allowed"
        )
    image: Image.Image = frame.to_image().convert("RGB")
    turns = {
        90: Image.Transpose.ROTATE_90,
        180: Image.Transpose.ROTATE_180,
        270: Image.Transpose.ROTATE_270,
    }
    turn = turns.get(frame.rotation % 360)  # counter-clockwise, as Pillow's
    return image if turn is None else image.transpose(turn)
