"""JAFFE and KDEF: posed faces whose file names say who shows what."""

from __future__ import annotations

import re
from collections.abc import Collection
from pathlib import Path

from contrawarp_edge.core.errors import InputError
from contrawarp_edge.inputs.images import iter_images
from lightly_contrawarp.data.labelled import (
    SPLIT_FOLDERS,
    LabelledImages,
    LabelledItem,
    file_item,
)
from lightly_contrawarp.data.sets.checks import check_count
from lightly_contrawarp.data.sets.folds import DEFAULT_FOLDS, Folds, by_person

_CODES = {
    "NE": "neutral",
    "HA": "happy",
    "SA": "sad",
    "SU": "surprise",
    "FE": "fear",  # JAFFE
    "AF": "fear",  # KDEF: afraid
    "DI": "disgust",
    "AN": "anger",
}
# KA.AN1.39.tiff: who, what and which take, serial number
_JAFFE = re.compile(
    r"(?P<person>[A-Z]{2})[.-](?P<code>NE|HA|SA|SU|FE|DI|AN)\d*\.\d+\.\w+",
    re.IGNORECASE,
)
# AF01ANS.JPG: session, sex and number of the person, what, angle
_KDEF = re.compile(
    r"[AB](?P<person>[FM]\d\d)(?P<code>NE|HA|SA|SU|AF|DI|AN)(?P<angle>S|HL|HR|FL|FR)"
    r"\.\w+",
    re.IGNORECASE,
)
_ANGLES = ("S", "HL", "HR", "FL", "FR")


def splits(root: Path) -> tuple[str, ...]:
    """Folds by person: the sets have no official splits."""
    return tuple(SPLIT_FOLDERS)


def read_jaffe(
    root: Path, split: str, *, folds: Folds = DEFAULT_FOLDS
) -> LabelledImages:
    """Reads a split of JAFFE.

    Args:
        root: Holds ``KA.AN1.39.tiff`` and the like, in any sub-folders.
        split: The split; no person is in two of them.
        folds: How the splits are dealt.
    """
    found = _matches(root, _JAFFE, "JAFFE", "KA.AN1.39.tiff")
    check_count("jaffe", len(found), 213)
    items = [_item(path, match) for path, match in found]
    return LabelledImages("jaffe", root, by_person(items, split, folds))


def read_kdef(
    root: Path,
    split: str,
    *,
    angles: Collection[str] = ("S",),
    folds: Folds = DEFAULT_FOLDS,
) -> LabelledImages:
    """Reads a split of KDEF.

    Args:
        root: Holds ``AF01ANS.JPG`` and the like, in any sub-folders.
        split: The split; no person is in two of them.
        angles: From where the faces are seen: ``S`` straight, ``HL`` and ``HR`` half
            left and right, ``FL`` and ``FR`` full left and right.
        folds: How the splits are dealt.
    """
    if unknown := set(angles) - {*_ANGLES}:
        raise InputError(
            f"KDEF angle {', '.join(sorted(unknown))}: expected {', '.join(_ANGLES)}"
        )
    found = [
        (path, match)
        for path, match in _matches(root, _KDEF, "KDEF", "AF01ANS.JPG")
        if match["angle"].upper() in angles
    ]
    check_count("kdef", len(found), 980 * len(set(angles)))
    items = [_item(path, match) for path, match in found]
    return LabelledImages("kdef", root, by_person(items, split, folds))


def _matches(
    root: Path, pattern: re.Pattern[str], name: str, example: str
) -> list[tuple[Path, re.Match[str]]]:
    paths = list(iter_images(root))
    found = [(path, match) for path in paths if (match := pattern.fullmatch(path.name))]
    if not found:
        raise InputError(
            f"{root}: no {name} here; expected images with names such as {example}, "
            f"found {f'{paths[0].name} and others' if paths else 'no image'}"
        )
    return found


def _item(path: Path, match: re.Match[str]) -> LabelledItem:
    return file_item(path, _CODES[match["code"].upper()], match["person"].upper())
