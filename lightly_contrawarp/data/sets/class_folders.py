"""Any set laid out as ``<part>/<class>/*.jpg``, or as classes with known people."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from contrawarp_edge.core.errors import InputError
from lightly_contrawarp.data.labelled import (
    PART_FOLDERS,
    LabelledImages,
    LabelledItem,
    read_class_folders,
)
from lightly_contrawarp.data.sets.folds import DEFAULT_FOLDS, Folds, by_person


def part_folders(root: Path) -> dict[str, Path]:
    """Finds the folders with the parts of a set.

    Returns:
        The folder of each part that there is, such as ``root/val`` for ``validation``.

    Raises:
        InputError: If ``root`` is no folder, or two folders could be the same part.
    """
    if not root.is_dir():
        raise InputError(f"{root}: is no folder")
    found: dict[str, Path] = {}
    folders = sorted(path for path in root.iterdir() if path.is_dir())
    for part, names in PART_FOLDERS.items():
        matches = [path for path in folders if path.name.lower() in names]
        if len(matches) > 1:
            both = " and ".join(path.name for path in matches)
            raise InputError(f"{root}: {both} could both be {part}; rename one")
        if matches:
            found[part] = matches[0]
    return found


def read_repack(
    root: Path, part: str, known: Mapping[str, str] | None = None
) -> list[LabelledItem]:
    """Reads a part of a set that somebody sorted into class folders.

    Args:
        root: The folder that holds the parts.
        part: One of `part_folders`.
        known: Names of classes by folder name, besides names of expressions.
    """
    return read_class_folders(part_folders(root)[part], known=known or {})


def parts(root: Path) -> tuple[str, ...]:
    """The parts that there are: by folder, or by person."""
    return tuple(part_folders(root)) or tuple(PART_FOLDERS)


def read(
    root: Path,
    part: str,
    *,
    identity_pattern: str | None = None,
    folds: Folds = DEFAULT_FOLDS,
) -> LabelledImages:
    """Reads a part of a plain folder.

    Args:
        root: Holds a folder for each part; or, with an identity pattern, the classes.
        part: The part.
        identity_pattern: See `LabelledFolder`. If ``root`` holds the classes, the
            parts are folds by person.
        folds: How these are dealt.
    """
    if folder := part_folders(root).get(part):
        items = read_class_folders(folder, identity_pattern=identity_pattern)
        return LabelledImages("folder", folder, items)
    if identity_pattern is None:
        raise InputError(
            f"{root}: has no parts; expected train/ with a folder for each class, and "
            "validation/ or test/ beside it, or give an identity pattern"
        )
    items = read_class_folders(root, identity_pattern=identity_pattern)
    return LabelledImages("folder", root, by_person(items, part, folds))
