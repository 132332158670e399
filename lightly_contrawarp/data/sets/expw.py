"""ExpW: photos from the web with a box and a label for each face."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from contrawarp_edge.core.errors import InputError
from lightly_contrawarp.data.face_box import read_face
from lightly_contrawarp.data.labelled import SPLIT_FOLDERS, LabelledImages, LabelledItem
from lightly_contrawarp.data.sets.checks import (
    check_count,
    drop_missing,
    first_existing,
)
from lightly_contrawarp.data.sets.folds import DEFAULT_FOLDS, Folds
from lightly_contrawarp.data.tables import label_number, number, spaced_rows

_LABELS = ("anger", "disgust", "fear", "happy", "sad", "surprise", "neutral")
_COUNT = 91_793


def splits(root: Path) -> tuple[str, ...]:
    """Folds by photo: the set has no official splits."""
    _find(root)
    return tuple(SPLIT_FOLDERS)


def read(root: Path, split: str, *, folds: Folds = DEFAULT_FOLDS) -> LabelledImages:
    """Reads a split; each item is one face, cut out by its box.

    Args:
        root: Holds ``label/label.lst`` and ``image/origin/``, both if wanted below
            ``data/``.
        split: The split; no photo is in two of them.
        folds: How the splits are dealt.
    """
    label_file, images = _find(root)
    listed = []
    for where, fields in spaced_rows(label_file):
        if len(fields) != 8:
            raise InputError(
                f"{where}: {len(fields)} fields; expected image, face, top, left, "
                "right, bottom, confidence and label"
            )
        top, left, right, bottom = (number(text, where) for text in fields[2:6])
        label = label_number(fields[7], where)
        if not 0 <= label < len(_LABELS):
            raise InputError(f"{where}: label {label}; expected 0 to 6")
        path = images / fields[0]
        name = f"{path} face {fields[1]}"
        face = partial(read_face, path, (left, top, right, bottom), name)
        listed.append((path, LabelledItem(name, _LABELS[label], face)))
    check_count("expw", len(listed), _COUNT)
    # Dealt before the missing are left out, so that all copies have the same folds.
    taken = folds.take(
        split,
        listed,
        [item.expression for _, item in listed],
        [str(path) for path, _ in listed],
    )
    return LabelledImages("expw", root, drop_missing(taken, label_file))


def _find(root: Path) -> tuple[Path, Path]:
    for folder in (root, root / "data"):
        label_file = first_existing(folder, "label/label.lst", "label.lst")
        images = first_existing(folder, "image/origin", "origin", "image")
        if label_file and images:
            return label_file, images
    raise InputError(
        f"{root}: no ExpW here; expected label/label.lst and image/origin/*.jpg"
    )
