"""Folders of face images without labels."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from PIL import Image, UnidentifiedImageError
from torch import Tensor
from torch.utils.data import Dataset

from contrawarp_edge.core.errors import InputError
from contrawarp_edge.core.regular_files import problem_of
from contrawarp_edge.inputs.images import (
    MAX_PIXELS,
    image_extensions,
    image_formats,
    iter_images,
    read_rgb,
)
from contrawarp_edge.inputs.others import kind_of
from lightly_contrawarp.data.threads import map_in_threads
from lightly_contrawarp.transforms.batch_items import FaceItem

Transform = Callable[[Image.Image], Any]


@dataclass(frozen=True)
class SkippedFile:
    """A file that cannot be used, and why.

    Attributes:
        path: The file.
        reason: A few words, without the file's name.
    """

    path: Path
    reason: str

    def __str__(self) -> str:
        return f"{self.path}: {self.reason}"


@dataclass(frozen=True)
class ImageScan:
    """What was found below a folder.

    Attributes:
        paths: The images, in a fixed order.
        skipped: Files with an image's extension that hold none, and folders that
            cannot be listed.
        others: How many files of other kinds there are, by kind.
    """

    paths: list[Path]
    skipped: list[SkippedFile]
    others: Counter[str] = field(default_factory=Counter)


def images_below(root: Path) -> tuple[list[Path], Counter[str]]:
    """Files with an image's extension, and how many of other kinds there are, by kind.

    Args:
        root: A folder, searched with all its sub-folders, or a single file.

    Raises:
        InputError: If ``root`` does not exist.
    """
    others: Counter[str] = Counter()
    found = iter_images(root, on_other=lambda path: others.update([kind_of(path)]))
    return list(found), others


def scan_images(
    root: Path, *, on_progress: Callable[[int, int], None] | None = None
) -> ImageScan:
    """Finds the images below a folder, judging each by its header only.

    A file whose header is sound may still fail to decode; `FaceFolder` copes with it.

    Args:
        root: A folder, searched with all its sub-folders, or a single file.
        on_progress: Called after every file with the number of files done and the
            number of files in all.

    Returns:
        The images, and the files that were left out.

    Raises:
        InputError: If ``root`` does not exist or has no readable image.
    """
    found, others = images_below(root)
    scan = ImageScan([], [], others)
    if not found:
        raise InputError(f"{root}: no image in this folder; {_wanted_extensions()}")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # our own pixel limit is the one that counts
        problems = map_in_threads(_header_problem, found)
        for done, (path, problem) in enumerate(
            zip(found, problems, strict=True), start=1
        ):
            if problem:
                scan.skipped.append(SkippedFile(path, problem))
            else:
                scan.paths.append(path)
            if on_progress:
                on_progress(done, len(found))
    if not scan.paths:
        raise InputError(_none_readable(scan.skipped))
    return scan


class FaceFolder(Dataset[tuple[Any, ...]]):
    """Unlabelled images; a broken one is replaced instead of stopping a run.

    An item is ``(image, index)``: an RGB ``PIL.Image`` or what ``transform`` makes of
    it, and the position in ``paths`` of the file that was read; with ``landmarks`` it
    is a `FaceItem`. A file that cannot be decoded is replaced by the next one in
    ``paths`` that can.

    Args:
        paths: The image files; see `scan_images`.
        transform: Applied to each image.
        on_failure: Called once for each file that cannot be decoded, in the process
            that tried; without it, a warning is issued.
        landmarks: Landmarks of each image, float32 ``[N, P, 2]``; see `FaceItem`.

    Attributes:
        failed: Reason by path of the files that could not be decoded so far. Each
            worker process of a loader keeps its own.

    Raises:
        InputError: When an item is taken and not one file can be decoded.
    """

    def __init__(
        self,
        paths: Sequence[Path],
        transform: Transform | None = None,
        on_failure: Callable[[SkippedFile], None] | None = None,
        landmarks: Tensor | None = None,
    ) -> None:
        self.paths = list(paths)
        self.landmarks = landmarks
        self.transform = transform
        self.on_failure = on_failure
        self.failed: dict[Path, str] = {}

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> tuple[Any, int] | FaceItem:
        count = len(self.paths)
        if not -count <= index < count:
            raise IndexError(index)
        for step in range(count):
            position = (index + step) % count
            image = self.read(position)
            if image is not None:
                if self.landmarks is None:
                    return image, position
                return FaceItem(image, position, self.landmarks[position])
        failed = [SkippedFile(path, reason) for path, reason in self.failed.items()]
        raise InputError(_none_readable(failed))

    def read(self, position: int) -> Any | None:
        """The image at a position, transformed; ``None`` if it cannot be decoded."""
        image = self._decode(self.paths[position])
        return image if image is None or not self.transform else self.transform(image)

    def _decode(self, path: Path) -> Image.Image | None:
        if path in self.failed:
            return None
        try:
            return read_rgb(path)
        except InputError as error:
            reason = self.failed[path] = str(error).removeprefix(f"{path}: ")
            if self.on_failure:
                self.on_failure(SkippedFile(path, reason))
            else:
                warnings.warn(f"Another image is used for {error}", stacklevel=4)
            return None


def _header_problem(path: Path) -> str | None:
    if problem := problem_of(path):
        return problem
    try:
        with Image.open(path, formats=image_formats()) as image:
            if image.width * image.height > MAX_PIXELS:
                return f"more than {MAX_PIXELS:,} pixels"
    except UnidentifiedImageError:
        return "not an image that Pillow can read"
    except Exception as error:  # header parsers raise almost any type on broken data
        return getattr(error, "strerror", None) or str(error) or type(error).__name__
    return None


def _wanted_extensions() -> str:
    common = (".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp")
    others = len(image_extensions() - set(common))
    return f"looked for {', '.join(common)} and {others} other extensions"


def _none_readable(files: Sequence[SkippedFile]) -> str:
    first = "; ".join(str(file) for file in files[:3])
    more = f"; and {len(files) - 3} more" if len(files) > 3 else ""
    return f"not one of {len(files)} files is a readable image: {first}{more}"
