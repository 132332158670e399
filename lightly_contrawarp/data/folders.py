"""Folders of face images as datasets, with or without a label for each image."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from multiprocessing.pool import ThreadPool
from pathlib import Path
from typing import Any

from PIL import Image, UnidentifiedImageError
from torch.utils.data import Dataset

from contrawarp_edge.errors import InputError
from contrawarp_edge.images import (
    MAX_PIXELS,
    image_extensions,
    image_formats,
    iter_images,
    read_rgb,
)

Transform = Callable[[Image.Image], Any]

EXPRESSIONS = (
    "neutral",
    "happy",
    "sad",
    "surprise",
    "fear",
    "disgust",
    "anger",
    "contempt",
)
"""The canonical names and order of the expression classes."""

_ALIASES = {
    "happiness": "happy",
    "joy": "happy",
    "sadness": "sad",
    "surprised": "surprise",
    "fearful": "fear",
    "afraid": "fear",
    "scared": "fear",
    "disgusted": "disgust",
    "angry": "anger",
    "contemptuous": "contempt",
}
_SPLITS = {"train", "training", "val", "valid", "validation", "test", "testing"}


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
        skipped: Files with an image's extension that hold none.
    """

    paths: list[Path]
    skipped: list[SkippedFile]


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
    found = list(iter_images(root))
    if not found:
        raise InputError(f"{root}: no image in this folder; {_wanted_extensions()}")
    scan = ImageScan([], [])
    with warnings.catch_warnings(), ThreadPool() as pool:
        warnings.simplefilter("ignore")  # our own pixel limit is the one that counts
        problems = pool.imap(_header_problem, found, chunksize=64)
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


class FaceFolder(Dataset[tuple[Any, int]]):
    """Unlabelled images; a broken one is replaced instead of stopping a run.

    An item is ``(image, index)``: an RGB ``PIL.Image`` or what ``transform`` makes of
    it, and the position in ``paths`` of the file that was read. A file that cannot be
    decoded is replaced by the next one in ``paths`` that can.

    Args:
        paths: The image files; see `scan_images`.
        transform: Applied to each image.

    Attributes:
        failed: Reason by path of the files that could not be decoded so far. Each
            worker process of a loader keeps its own.

    Raises:
        InputError: When an item is taken and not one file can be decoded.
    """

    def __init__(
        self, paths: Sequence[Path], transform: Transform | None = None
    ) -> None:
        self.paths = list(paths)
        self.transform = transform
        self.failed: dict[Path, str] = {}

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> tuple[Any, int]:
        count = len(self.paths)
        if not -count <= index < count:
            raise IndexError(index)
        for step in range(count):
            position = (index + step) % count
            if image := self._read(self.paths[position]):
                return _apply(self.transform, image), position
        failed = [SkippedFile(path, reason) for path, reason in self.failed.items()]
        raise InputError(_none_readable(failed))

    def _read(self, path: Path) -> Image.Image | None:
        if path in self.failed:
            return None
        try:
            return read_rgb(path)
        except InputError as error:
            self.failed[path] = str(error).removeprefix(f"{path}: ")
            warnings.warn(f"Another image is used for {error}", stacklevel=3)
            return None


class LabelledFolder(Dataset[tuple[Any, int]]):
    """Labelled images, laid out as ``root/<class>/**/<image>``.

    An item is ``(image, label)``: an RGB ``PIL.Image`` or what ``transform`` makes of
    it, and the position of its class in ``classes``. Taking an item whose file cannot
    be decoded raises `InputError`: a replacement would have another label.

    Args:
        root: A folder that holds one sub-folder for each class.
        transform: Applied to each image.

    Attributes:
        root: The folder.
        classes: Class names. Known expressions come first, under their canonical
            names and in the order of `EXPRESSIONS` (``angry`` is ``anger``); any
            other names follow in alphabetical order.
        paths: The image files.
        labels: The label of each file.

    Raises:
        InputError: If ``root`` does not exist, holds images outside class folders or
            has fewer than two classes.
    """

    def __init__(self, root: Path, transform: Transform | None = None) -> None:
        self.root = root
        self.transform = transform
        by_class = _paths_by_class(root)
        self.classes = _in_canonical_order(by_class)
        pairs = [
            (path, label)
            for label, name in enumerate(self.classes)
            for path in by_class[name]
        ]
        self.paths = [path for path, _ in pairs]
        self.labels = [label for _, label in pairs]

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> tuple[Any, int]:
        image = read_rgb(self.paths[index])
        return _apply(self.transform, image), self.labels[index]


def class_name(folder_name: str) -> str:
    """The canonical class name that a folder's name stands for.

    >>> class_name("Happiness")
    'happy'
    """
    name = folder_name.strip().lower()
    name = _ALIASES.get(name, name)
    return name if name in EXPRESSIONS else folder_name


def _paths_by_class(root: Path) -> dict[str, list[Path]]:
    expected = f"expected one folder for each class, as in {root / 'happy' / '1.jpg'}"
    by_class: dict[str, list[Path]] = {}
    for path in iter_images(root):
        parts = path.relative_to(root).parts
        if len(parts) < 2:
            raise InputError(f"{path}: this image is in no class folder; {expected}")
        by_class.setdefault(class_name(parts[0]), []).append(path)
    if not by_class:
        raise InputError(f"{root}: no image in this folder; {expected}")
    splits = sorted(name for name in by_class if name.lower() in _SPLITS)
    if splits:
        raise InputError(
            f"{root}: {', '.join(splits)} is a part of a data set, not a class; give "
            f"the folder that holds the classes, such as {root / splits[0]}"
        )
    if len(by_class) < 2:
        raise InputError(f"{root}: only one class, {next(iter(by_class))}; {expected}")
    return by_class


def _in_canonical_order(names: Collection[str]) -> list[str]:
    known = [name for name in EXPRESSIONS if name in names]
    return known + sorted(set(names) - set(known))


def _apply(transform: Transform | None, image: Image.Image) -> Any:
    return image if transform is None else transform(image)


def _header_problem(path: Path) -> str | None:
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
