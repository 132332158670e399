"""Reading image files in a few threads, in order and with bounded memory."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeAlias, TypeVar

import numpy as np
import numpy.typing as npt
from PIL import Image

from contrawarp_edge.core.checksums import sha256_of
from contrawarp_edge.core.errors import InputError
from contrawarp_edge.core.regular_files import problem_of
from contrawarp_edge.core.text import is_text
from contrawarp_edge.inputs.images import read_rgb, to_rgb
from contrawarp_edge.inputs.video import frame_path, frame_times, frames, is_video

Pixels: TypeAlias = npt.NDArray[np.uint8]
ImageLike: TypeAlias = Path | str | Image.Image | Pixels

Prepare: TypeAlias = Callable[[Pixels], Pixels]
"""Makes of an image what a model shall see; may raise ``InputError``."""

IsKnown: TypeAlias = Callable[[Path, str], bool]
"""Whether a path with a hash need not be decoded."""

_Result = TypeVar("_Result")

_WORKERS = min(8, os.cpu_count() or 1)


@dataclass(frozen=True)
class LoadedFile:
    """One file after an attempt to read it.

    Attributes:
        path: The path as it was given.
        sha256: Of the file's bytes, or empty if it could not be read.
        pixels: uint8 ``(H, W, 3)`` RGB, or None if known or unreadable.
        problem: Why the file could not be used, or None.
        may_pass: Whether the problem is one of the system, such as a lock or a
            permission, and another try may do.
    """

    path: Path
    sha256: str = ""
    pixels: Pixels | None = None
    problem: str | None = None
    may_pass: bool = False


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


def hash_file(path: Path) -> LoadedFile:
    """Hashes a file without decoding it."""
    return _loaded(path, decode=False)


def load_file(path: Path) -> LoadedFile:
    """Hashes a file and decodes it."""
    return _loaded(path, decode=True)


def _loaded(path: Path, *, decode: bool) -> LoadedFile:
    if problem := _not_loadable(path):
        return LoadedFile(path, problem=problem)
    if is_video(path):
        return LoadedFile(path, problem="a video; --every SECONDS takes its frames")
    try:
        with path.open("rb") as file:
            sha256 = sha256_of(file)
            if not decode:
                return LoadedFile(path, sha256)
            file.seek(0)
            pixels = np.asarray(read_rgb(file, name=str(path)))
            return LoadedFile(path, sha256, pixels)
    except (InputError, OSError) as error:
        return _failed(path, error)


def load_video(
    path: Path, every: float, is_known: IsKnown | None
) -> Iterator[LoadedFile]:
    """Hashes a video and decodes its frames, unless all are known with its hash.

    Args:
        path: The video.
        every: Seconds between two frames.
        is_known: Whether a frame's path need not be decoded; None to decode all.

    Yields:
        An entry a frame, whose path ends in ``#t=SECONDS``, and one with the video's
        own path if it cannot be decoded (from some point on).
    """
    if problem := _not_loadable(path):
        yield LoadedFile(path, problem=problem)
        return
    try:
        with path.open("rb") as file:
            sha256 = sha256_of(file)
        known: set[Path] = set()
        if is_known is not None:
            expected = [Path(frame_path(path, t)) for t in frame_times(path, every)]
            known = {frame for frame in expected if is_known(frame, sha256)}
            if expected and len(known) == len(expected):
                yield from (LoadedFile(frame, sha256) for frame in expected)
                return
        for seconds, image in frames(path, every):
            frame = Path(frame_path(path, seconds))
            if frame in known:
                yield LoadedFile(frame, sha256)
            else:
                yield LoadedFile(frame, sha256, np.asarray(image))
    except (InputError, OSError) as error:
        yield _failed(path, error)


def prepared(file: LoadedFile, prepare: Prepare | None) -> LoadedFile:
    """A file whose pixels are replaced by what is made of them."""
    if prepare is None or file.pixels is None:
        return file
    try:
        return replace(file, pixels=prepare(file.pixels))
    except InputError as error:
        return replace(file, pixels=None, problem=str(error))


def _not_loadable(path: Path) -> str | None:
    if "\0" not in str(path) and not is_text(str(path)):
        return "its name is not valid UTF-8; rename it"
    return problem_of(path)


def _failed(path: Path, error: InputError | OSError) -> LoadedFile:
    if isinstance(error, InputError):
        return LoadedFile(path, problem=str(error).removeprefix(f"{path}: "))
    problem = error.strerror or type(error).__name__
    return LoadedFile(path, problem=problem, may_pass=True)


def sha256_of_file(path: Path) -> str | None:
    """The hash of a file that could be loaded, None if it cannot be."""
    if _not_loadable(path):
        return None
    try:
        with path.open("rb") as file:
            return sha256_of(file)
    except OSError:
        return None


def load_files(
    paths: Iterable[Path],
    is_known: IsKnown | None,
    then: Callable[[LoadedFile], _Result],
    every: float | None = None,
) -> Iterator[_Result]:
    """Reads files in a pool of threads, a few ahead of the consumer.

    Args:
        paths: Files to read.
        is_known: Whether a path with a hash need not be decoded, called in the
            consumer's thread; None to decode all.
        then: What to make of each file, in the thread that read it. What it returns
            waits for the consumer, so it should be small.
        every: Seconds between two frames of a video; None to refuse videos.

    Yields:
        One result a path, in the order of ``paths``, whether it could be read or not;
        for a video one a frame.
    """
    hashed: deque[Future[LoadedFile]] = deque()
    loaded: deque[Future[_Result]] = deque()

    def load(path: Path) -> None:
        loaded.append(pool.submit(lambda: then(load_file(path))))

    def decide(is_known: IsKnown) -> None:
        file = hashed.popleft().result()
        if file.problem is not None or is_known(file.path, file.sha256):
            loaded.append(pool.submit(then, file))
        else:  # it is hashed again with what is decoded, since it may have changed
            load(file.path)

    pool = ThreadPoolExecutor(_WORKERS, thread_name_prefix="load")
    try:
        for path in paths:
            if every is not None and is_video(path):  # FFmpeg has threads of its own
                while is_known and hashed:
                    decide(is_known)
                while loaded:
                    yield loaded.popleft().result()
                yield from map(then, load_video(path, every, is_known))
                continue
            if is_known is None:
                load(path)
            else:
                hashed.append(pool.submit(hash_file, path))
                if len(hashed) > _WORKERS:
                    decide(is_known)
            if len(loaded) > 2 * _WORKERS:
                yield loaded.popleft().result()
        while is_known and hashed:
            decide(is_known)
        while loaded:
            yield loaded.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)
