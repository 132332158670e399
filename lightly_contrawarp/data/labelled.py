"""Labelled faces: what every layout gives, and folders with a class in each."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from torch.utils.data import Dataset

from contrawarp_edge.core.errors import InputError
from contrawarp_edge.core.regular_files import check_regular
from contrawarp_edge.inputs.images import iter_images, read_rgb
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
SPLIT_FOLDERS = {
    "train": ("train", "training"),
    "validation": ("validation", "val", "valid"),
    "test": ("test", "testing"),
}
"""Names, in lower case, that folders with the splits of a data set go by."""


@dataclass(frozen=True)
class LabelledItem:
    """One face of a labelled set.

    Attributes:
        name: How messages and reports call it: its path, or the row of a table.
        expression: Name of its class.
        read: Decodes it to an RGB image, or raises `InputError` that names it. It can
            be pickled.
        identity: Who it shows, where the set tells.
        targets: Numbers that are known of it by name, such as how far it smiles.
    """

    name: str
    expression: str
    read: Callable[[], Image.Image]
    identity: str | None = None
    targets: Mapping[str, float] = field(default_factory=dict)


class LabelledImages(Dataset[tuple[Any, int]]):
    """Labelled faces, whatever the layout on disk they come from.

    An item is ``(image, label)``: an RGB ``PIL.Image`` or what ``transform`` makes of
    it, and the position of its class in ``classes``. Taking an item that cannot be
    decoded raises `InputError` that names it: a replacement would have another label.
    It can be pickled, if ``transform`` can.

    Args:
        name: The kind of set, such as ``"fer2013"``.
        root: The folder or file that the faces come from.
        items: The faces, in a fixed order.
        transform: Applied to each image.

    Attributes:
        name: The kind of set.
        root: The folder or file that the faces come from.
        classes: Names of the classes that occur. Those of `EXPRESSIONS` come first,
            in its order; any other names follow in alphabetical order.
        labels: For each item the position of its class in ``classes``.
        names: For each item its path, or for example ``fer2013.csv row 17``.
        identities: For each item who it shows; None where the set does not tell.
        targets: Numbers of the items by name, each float32 of shape ``(N,)``; those
            that are known of every item.
        transform: Applied to each image.
    """

    def __init__(
        self,
        name: str,
        root: Path,
        items: Sequence[LabelledItem],
        transform: Transform | None = None,
    ) -> None:
        self.name = name
        self.root = root
        self.transform = transform
        self.classes = _in_canonical_order({item.expression for item in items})
        position = {name: label for label, name in enumerate(self.classes)}
        self.labels = [position[item.expression] for item in items]
        self.names = [item.name for item in items]
        known = [item.identity for item in items if item.identity is not None]
        self.identities = known if items and len(known) == len(items) else None
        self.targets: dict[str, NDArray[np.float32]] = {
            name: np.array([item.targets[name] for item in items], dtype=np.float32)
            for name in (items[0].targets if items else ())
            if all(name in item.targets for item in items)
        }
        self._reads = [item.read for item in items]

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[Any, int]:
        image = self._reads[index]()
        item = image if self.transform is None else self.transform(image)
        return item, self.labels[index]


class LabelledFolder(LabelledImages):
    """Labelled images, laid out as ``root/<class>/**/<image>``.

    Classes with the name of an expression, or another word for it (``angry`` is
    ``anger``), get their canonical name. Items are sorted by class.

    Args:
        root: A folder that holds one sub-folder for each class.
        transform: Applied to each image.
        identity_pattern: Regular expression, searched for in the path below ``root``
            (with ``/`` between its parts). Its group ``identity``, or its only group,
            is who the image shows.

    Raises:
        InputError: If ``root`` does not exist, holds images outside class folders or
            has fewer than two classes, or if the pattern is invalid, has no group
            or does not match an image.
    """

    def __init__(
        self,
        root: Path,
        transform: Transform | None = None,
        identity_pattern: str | None = None,
    ) -> None:
        items = read_class_folders(root, identity_pattern=identity_pattern)
        super().__init__("folder", root, items, transform)


def file_item(path: Path, expression: str, identity: str | None = None) -> LabelledItem:
    """The item of an image file that shows one face."""
    return LabelledItem(str(path), expression, partial(read_rgb, path), identity)


def read_class_folders(
    root: Path,
    *,
    known: Mapping[str, str] | None = None,
    identity_pattern: str | None = None,
) -> list[LabelledItem]:
    """Lists the images of ``root/<class>/**/<image>``, sorted by class.

    Args:
        root: A folder that holds one sub-folder for each class.
        known: Names of classes by folder name, besides the expressions. Folders with
            any other name are refused then; without it, they are classes of their own.
        identity_pattern: See `LabelledFolder`.

    Raises:
        InputError: See `LabelledFolder`.
    """
    by_class = _paths_by_class(root, known)
    identity = _identity_reader(root, identity_pattern)
    return [
        file_item(path, name, identity(path))
        for name in _in_canonical_order(by_class)
        for path in by_class[name]
    ]


def class_name(folder_name: str) -> str:
    """The canonical class name that a folder's name stands for.

    >>> class_name("Happiness")
    'happy'
    """
    name = folder_name.strip().lower()
    name = _ALIASES.get(name, name)
    return name if name in EXPRESSIONS else folder_name


def _paths_by_class(
    root: Path, known: Mapping[str, str] | None
) -> dict[str, list[Path]]:
    expected = f"expected one folder for each class, as in {root / 'happy' / '1.jpg'}"
    by_class: dict[str, list[Path]] = {}
    for path in iter_images(root):
        parts = path.relative_to(root).parts
        if len(parts) < 2:
            check_regular(path)  # a class that cannot be listed is named for that
            raise InputError(f"{path}: this image is in no class folder; {expected}")
        name = class_name(parts[0])
        if known is not None and name not in EXPRESSIONS:
            if parts[0] not in known:
                names = ", ".join([*known, *EXPRESSIONS])
                raise InputError(
                    f"{root / parts[0]}: is no class of this set; expected {names}"
                )
            name = known[parts[0]]
        by_class.setdefault(name, []).append(path)
    if not by_class:
        raise InputError(f"{root}: no image in this folder; {expected}")
    split_names = {name for names in SPLIT_FOLDERS.values() for name in names}
    splits = sorted(name for name in by_class if name.lower() in split_names)
    if splits:
        raise InputError(
            f"{root}: {', '.join(splits)} is a split of a data set, not a class; give "
            f"the folder that holds the classes, such as {root / splits[0]}"
        )
    if len(by_class) < 2:
        raise InputError(f"{root}: only one class, {next(iter(by_class))}; {expected}")
    return by_class


def _identity_reader(root: Path, pattern: str | None) -> Callable[[Path], str | None]:
    if pattern is None:
        return lambda path: None
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        raise InputError(f"identity pattern {pattern!r}: {error}") from error
    if "identity" not in compiled.groupindex and compiled.groups != 1:
        raise InputError(
            f"identity pattern {pattern!r}: has {compiled.groups} groups; put one pair "
            "of brackets around what tells the person, or write (?P<identity>...)"
        )
    group = "identity" if "identity" in compiled.groupindex else 1

    def identity(path: Path) -> str:
        match = compiled.search(path.relative_to(root).as_posix())
        if not match or not match[group]:
            raise InputError(f"{path}: identity pattern {pattern!r} finds nobody in it")
        return match[group]

    return identity


def _in_canonical_order(names: Collection[str]) -> list[str]:
    known = [name for name in EXPRESSIONS if name in names]
    return known + sorted(set(names) - set(known))
