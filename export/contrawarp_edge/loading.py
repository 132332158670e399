"""Reading image files in a few threads, in order and with bounded memory."""

from __future__ import annotations

import hashlib
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO, TypeAlias, TypeVar

import numpy as np
import numpy.typing as npt
from PIL import Image

from contrawarp_edge.errors import InputError
from contrawarp_edge.gallery_sql import is_text
from contrawarp_edge.images import read_rgb, to_rgb
from contrawarp_edge.inputs.video import frame_path, frame_times, frames, is_video
from contrawarp_edge.regular import problem_of

Pixels: TypeAlias = npt.NDArray[np.uint8]
ImageLike: TypeAlias = Path | str | Image.Image | Pixels

Prepare: TypeAlias = Callable[[Pixels], Pixels]
"""Makes of an image what a model shall see; may raise ``InputError``."""

_Result = TypeVar("_Result")

_WORKERS = min(8, os.cpu_count() or 1)
_CHUNK = 1 << 20


@dataclass(frozen=True)
class LoadedFile:
    """One file after an attempt to read it.

    Attributes:
        path: The path as it was given.
        sha256: Of the file's bytes, or empty if it could not be read.
        pixels: uint8 ``(H, W, 3)`` RGB, or None if unchanged or unreadable.
        problem: Why the file could not be used, or None.
    """

    path: Path
    sha256: str = ""
    pixels: Pixels | None = None
    problem: str | None = None


def to_pixels(image: ImageLike) -> Pixels:
    """Turns one image of any accepted kind into RGB pixels.

    Args:
        image: A path, a PIL image, or a uint8 array ``(H, W, 3)`` or grey ``(H, W)``.

    Returns:
        uint8 array ``(H, W, 3)`` with values 0 to 255.

    Raises:
        InputError: If a file cannot be decoded or an array has another shape or type.
    """
    if isinstance(image, (str, Path)):
        return np.asarray(read_rgb(image))
    if isinstance(image, Image.Image):
        return np.asarray(to_rgb(image))
    if not isinstance(image, np.ndarray) or image.dtype != np.uint8:
        kind = getattr(image, "dtype", type(image).__name__)
        raise InputError(
            f"an image is a path, a PIL image or a uint8 array, not {kind}"
        )
    if image.ndim == 2:
        image = np.repeat(image[:, :, None], 3, axis=2)
    if image.ndim != 3 or image.shape[2] != 3 or image.size == 0:
        raise InputError(
            f"an image array is (H, W, 3) or (H, W) and not empty, not {image.shape}"
        )
    return image


def load_file(path: Path, known_sha256: str | None = None) -> LoadedFile:
    """Hashes a file and decodes it, unless its hash is the known one."""
    if problem := _not_loadable(path):
        return LoadedFile(path, problem=problem)
    if is_video(path):
        return LoadedFile(path, problem="a video; --every SECONDS takes its frames")
    try:
        with path.open("rb") as file:
            sha256 = _sha256(file)
            if sha256 == known_sha256:
                return LoadedFile(path, sha256)
            file.seek(0)
            pixels = np.asarray(read_rgb(file, name=str(path)))
            return LoadedFile(path, sha256, pixels)
    except (InputError, OSError) as error:
        return LoadedFile(path, problem=_reason(path, error))


def load_video(
    path: Path, every: float, known_sha256: Callable[[Path], str | None]
) -> Iterator[LoadedFile]:
    """Hashes a video and decodes its frames, unless all are known with its hash.

    Args:
        path: The video.
        every: Seconds between two frames.
        known_sha256: The hash for which a frame's path need not be decoded again.

    Yields:
        An entry a frame, whose path ends in ``#t=SECONDS``, and one with the video's
        own path if it cannot be decoded (from some point on).
    """
    if problem := _not_loadable(path):
        yield LoadedFile(path, problem=problem)
        return
    try:
        with path.open("rb") as file:
            sha256 = _sha256(file)
        expected = [Path(frame_path(path, t)) for t in frame_times(path, every)]
        if expected and all(known_sha256(frame) == sha256 for frame in expected):
            yield from (LoadedFile(frame, sha256) for frame in expected)
            return
        for seconds, image in frames(path, every):
            frame = Path(frame_path(path, seconds))
            if known_sha256(frame) == sha256:
                yield LoadedFile(frame, sha256)
            else:
                yield LoadedFile(frame, sha256, np.asarray(image))
    except (InputError, OSError) as error:
        yield LoadedFile(path, problem=_reason(path, error))


def prepared(file: LoadedFile, prepare: Prepare | None) -> LoadedFile:
    """A file whose pixels are replaced by what is made of them."""
    if prepare is None or file.pixels is None:
        return file
    try:
        return replace(file, pixels=prepare(file.pixels))
    except InputError as error:
        return replace(file, pixels=None, problem=str(error))


def _not_loadable(path: Path) -> str | None:
    if (problem := problem_of(path)) is None and not is_text(str(path)):
        problem = "its name is not valid UTF-8; rename it"
    return problem


def _reason(path: Path, error: InputError | OSError) -> str:
    if isinstance(error, InputError):
        return str(error).removeprefix(f"{path}: ")
    return error.strerror or type(error).__name__


def _sha256(file: BinaryIO) -> str:
    digest = hashlib.sha256()
    while chunk := file.read(_CHUNK):
        digest.update(chunk)
    return digest.hexdigest()


def sha256_of_file(path: Path) -> str | None:
    """The hash of a file that could be loaded, None if it cannot be."""
    if _not_loadable(path):
        return None
    try:
        with path.open("rb") as file:
            return _sha256(file)
    except OSError:
        return None


def load_files(
    paths: Iterable[Path],
    known_sha256: Callable[[Path], str | None],
    then: Callable[[LoadedFile], _Result],
    every: float | None = None,
) -> Iterator[_Result]:
    """Reads files in a pool of threads, a few ahead of the consumer.

    Args:
        paths: Files to read.
        known_sha256: The hash for which a path need not be decoded again, or None.
            Called in the consumer's thread.
        then: What to make of each file, in the thread that read it. What it returns
            waits for the consumer, so it should be small.
        every: Seconds between two frames of a video; None to refuse videos.

    Yields:
        One result a path, in the order of ``paths``, whether it could be read or not;
        for a video one a frame.
    """

    def load(path: Path, sha256: str | None) -> _Result:
        return then(load_file(path, sha256))

    ahead: deque[Future[_Result]] = deque()
    pool = ThreadPoolExecutor(_WORKERS, thread_name_prefix="load")
    try:
        for path in paths:
            if every is not None and is_video(path):  # FFmpeg has threads of its own
                while ahead:
                    yield ahead.popleft().result()
                yield from map(then, load_video(path, every, known_sha256))
                continue
            ahead.append(pool.submit(load, path, known_sha256(path)))
            if len(ahead) > 2 * _WORKERS:
                yield ahead.popleft().result()
        while ahead:
            yield ahead.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)
