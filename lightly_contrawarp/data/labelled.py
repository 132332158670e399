"""Folders of face images with a sub-folder for each expression."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any

from torch.utils.data import Dataset

from contrawarp_edge.errors import InputError
from contrawarp_edge.images import iter_images, read_rgb
from lightly_contrawarp.data.folders import Transform

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
        item = image if self.transform is None else self.transform(image)
        return item, self.labels[index]


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
