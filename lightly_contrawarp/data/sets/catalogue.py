"""Opening any known set by name and path."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from contrawarp_edge.core.errors import InputError
from lightly_contrawarp.data.folders import Transform
from lightly_contrawarp.data.labelled import LabelledImages
from lightly_contrawarp.data.sets import (
    affectnet,
    ckplus,
    class_folders,
    expw,
    fer2013,
    ferplus,
    posed,
    rafdb,
)


class _Layout(NamedTuple):
    read: Callable[..., LabelledImages]
    splits: Callable[[Path], tuple[str, ...]]


_LAYOUTS = {
    "rafdb": _Layout(rafdb.read, rafdb.splits),
    "affectnet": _Layout(affectnet.read, affectnet.splits),
    "fer2013": _Layout(fer2013.read, fer2013.splits),
    "ferplus": _Layout(ferplus.read, ferplus.splits),
    "expw": _Layout(expw.read, expw.splits),
    "ckplus": _Layout(ckplus.read, ckplus.splits),
    "jaffe": _Layout(posed.read_jaffe, posed.splits),
    "kdef": _Layout(posed.read_kdef, posed.splits),
    "folder": _Layout(class_folders.read, class_folders.splits),
}
SET_NAMES = tuple(_LAYOUTS)
"""What can stand before the ``=`` of a set."""


def open_set(
    spec: str, split: str, *, transform: Transform | None = None, **options: Any
) -> LabelledImages:
    """Opens one split of a labelled set.

    Args:
        spec: ``NAME=PATH`` with one of `SET_NAMES`, or only the path of a folder that
            holds ``train/`` and other splits with a folder for each class. Spellings
            such as ``RAF-DB`` and ``FER+`` are understood.
        split: ``"train"``, ``"validation"`` or ``"test"``; see `available_splits`.
        transform: Applied to each image.
        **options: Those of the set: ``identity_pattern`` (folder), ``crop_faces``
            (affectnet), ``drop_duplicates`` (fer2013, ferplus), ``peak_frames``
            (ckplus), ``angles`` (kdef), and for those without official splits ``folds``
            (expw, ckplus, jaffe, kdef, folder), a `Folds`.

    Returns:
        The images of the split. A warning is issued if the copy is not complete.

    Raises:
        InputError: If the name, split or an option is unknown, the path is missing or
            is laid out in another way, or there is no face in the split.
    """
    name, root = _parse(spec)
    layout = _LAYOUTS[name]
    allowed = list(inspect.signature(layout.read).parameters)[2:]
    if unknown := sorted(set(options) - set(allowed)):
        raise InputError(
            f"{name} has no option {', '.join(unknown)}; it has "
            f"{', '.join(allowed) or 'none'}"
        )
    available = layout.splits(root)
    if split not in available:
        raise InputError(f"{spec}: has no split {split}; it has {', '.join(available)}")
    images = layout.read(root, split, **options)
    if not len(images):
        raise InputError(f"{spec}: no labelled face in its split {split}")
    images.transform = transform
    return images


def available_splits(spec: str) -> tuple[str, ...]:
    """The splits that a copy of a set has.

    Args:
        spec: See `open_set`.

    Raises:
        InputError: See `open_set`.
    """
    name, root = _parse(spec)
    return _LAYOUTS[name].splits(root)


def _parse(spec: str) -> tuple[str, Path]:
    before, equals, after = spec.partition("=")
    name = before.strip().lower().replace("+", "plus")
    name = "".join(letter for letter in name if letter.isalnum())
    is_named = bool(equals) and name in _LAYOUTS
    root = Path(after if is_named else spec)
    if not os.path.exists(root):  # also of a name that is too long
        if equals and not is_named:
            raise InputError(
                f"{spec}: {before} is no known set; expected {', '.join(SET_NAMES)}"
            )
        raise InputError(f"{root}: no such file or folder")
    if not is_named:
        _check_plain(root)
    return (name, root) if is_named else ("folder", root)


def _check_plain(root: Path) -> None:
    """Refuses a path that could be a known set, whose labels would be misread."""
    hint = f"write NAME={root} with NAME one of {', '.join(SET_NAMES)}"
    folders = class_folders.split_folders(root) if root.is_dir() else {}
    if "train" not in folders or len(folders) < 2:
        raise InputError(
            f"{root}: expected train/ and validation/ or test/ in it, with a folder "
            f"for each class; for another layout {hint}"
        )
    classes = [path.name for path in folders["train"].iterdir() if path.is_dir()]
    if classes and all(name.isdigit() for name in classes):
        raise InputError(
            f"{root}: its classes are numbers, which differ from set to set; {hint}"
        )
