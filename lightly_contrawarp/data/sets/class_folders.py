"""Any set laid out as ``<split>/<class>/*.jpg``, or as classes with known people."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from contrawarp_edge.core.errors import InputError
from lightly_contrawarp.data.labelled import (
    SPLIT_FOLDERS,
    LabelledImages,
    LabelledItem,
    read_class_folders,
)
from lightly_contrawarp.data.sets.folds import DEFAULT_FOLDS, Folds, by_person
from lightly_contrawarp.data.synthetic import with_actions


def split_folders(root: Path) -> dict[str, Path]:
    """Finds the folders with the splits of a set.

    Returns:
        The folder of each split that there is, such as ``root/val`` for ``validation``.

    Raises:
        InputError: If ``root`` is no folder, or two folders could be the same split.
    """
    if not os.path.isdir(root):  # also of a name that is too long
        raise InputError(f"{root}: is no folder")
    found: dict[str, Path] = {}
    folders = sorted(path for path in root.iterdir() if path.is_dir())
    for split, names in SPLIT_FOLDERS.items():
        matches = [path for path in folders if path.name.lower() in names]
        if len(matches) > 1:
            both = " and ".join(path.name for path in matches)
            raise InputError(f"{root}: {both} could both be {split}; rename one")
        if matches:
            found[split] = matches[0]
    return found


def read_repack(
    root: Path, split: str, known: Mapping[str, str] | None = None
) -> list[LabelledItem]:
    """Reads a split of a set that somebody sorted into class folders.

    Args:
        root: The folder that holds the splits.
        split: One of `split_folders`.
        known: Names of classes by folder name, besides names of expressions.
    """
    return read_class_folders(split_folders(root)[split], known=known or {})


def splits(root: Path) -> tuple[str, ...]:
    """The splits that there are: by folder, or by person."""
    return tuple(split_folders(root)) or tuple(SPLIT_FOLDERS)


def read(
    root: Path,
    split: str,
    *,
    identity_pattern: str | None = None,
    folds: Folds = DEFAULT_FOLDS,
) -> LabelledImages:
    """Reads a split of a plain folder.

    Args:
        root: Holds a folder for each split; or, with an identity pattern, the classes.
        split: The split.
        identity_pattern: See `LabelledFolder`. If ``root`` holds the classes, the
            splits are folds by person.
        folds: How these are dealt.
    """
    if folder := split_folders(root).get(split):
        return open_folder(folder, identity_pattern)
    if identity_pattern is None:
        raise InputError(
            f"{root}: has no splits; expected train/ with a folder for each class, and "
            "validation/ or test/ beside it, or give an identity pattern"
        )
    items = _items(root, identity_pattern)
    return LabelledImages("folder", root, by_person(items, split, folds))


def open_folder(root: Path, identity_pattern: str | None = None) -> LabelledImages:
    """Opens a folder of classes; drawn faces come with their actions as targets.

    Args:
        root: Holds a folder for each class.
        identity_pattern: See `LabelledFolder`, as for what is raised.
    """
    return LabelledImages("folder", root, _items(root, identity_pattern))


def _items(root: Path, identity_pattern: str | None) -> list[LabelledItem]:
    items = read_class_folders(root, identity_pattern=identity_pattern)
    return with_actions(root, items)
