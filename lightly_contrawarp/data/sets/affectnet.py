"""AffectNet: the csv lists, the npy release, and copies sorted into folders."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

from contrawarp_edge.core.errors import InputError
from contrawarp_edge.inputs.images import iter_images
from lightly_contrawarp.data.face_box import Box, read_face
from lightly_contrawarp.data.labelled import (
    EXPRESSIONS,
    LabelledImages,
    LabelledItem,
    file_item,
)
from lightly_contrawarp.data.sets.checks import (
    check_count,
    drop_missing,
    first_existing,
    warn_left_out,
)
from lightly_contrawarp.data.sets.class_folders import read_repack, split_folders
from lightly_contrawarp.data.tables import csv_rows, label_number, number
from lightly_contrawarp.data.threads import map_in_threads

# AffectNet's own order is the canonical one; then none, uncertain and no face.
_LEFT_OUT = (8, 9, 10)
_BY_NUMBER = {str(label): name for label, name in enumerate(EXPRESSIONS)}
_COUNTS = {"train": (287_651,), "validation": (4_000, 3_999)}
_CSV = {"train": "training.csv", "validation": "validation.csv"}
_NPY = {"train": "train_set", "validation": "val_set"}
_COLUMNS = (
    "subDirectory_filePath",
    "face_x",
    "face_y",
    "face_width",
    "face_height",
    "facial_landmarks",
    "expression",
    "valence",
    "arousal",
)
_PLACES = ("", "Manually_Annotated/")


class _ListedFace(NamedTuple):
    """A row of the csv lists.

    Attributes:
        where: Names the row in messages.
        file: Image below the folder of images.
        label: The set's own number.
        box: The face; empty where the label is left out.
    """

    where: str
    file: str
    label: int
    box: Box


def splits(root: Path) -> tuple[str, ...]:
    """The splits of a copy; the test split was never published."""
    found = [s for s in _CSV if _csv_file_of(root, s) or _npy_folder_of(root, s)]
    found = found or list(split_folders(root))
    if not found:
        raise InputError(
            f"{root}: no AffectNet in this folder; expected Manually_Annotated_file_"
            "lists/training.csv and Manually_Annotated_Images/, or train_set/images/ "
            "and train_set/annotations/, or train/0 to 7"
        )
    return tuple(found)


def read(root: Path, split: str, *, crop_faces: bool = False) -> LabelledImages:
    """Reads a split.

    Args:
        root: Holds one of the three layouts; the lists and images of the first may be
            below ``Manually_Annotated/``.
        split: One of `splits`.
        crop_faces: Whether to cut out the face box of the csv lists: the images of the
            first release show more than the face.
    """
    csv_file, npy_folder = _csv_file_of(root, split), _npy_folder_of(root, split)
    if crop_faces and not csv_file:
        raise InputError(f"{root}: faces can be cropped with the csv lists only")
    if csv_file:
        items = _read_csv(root, csv_file, split, crop_faces)
    elif npy_folder:
        items = _read_npy(npy_folder)
        check_count(f"affectnet {split}", len(items), *_COUNTS[split])
    else:
        items = read_repack(root, split, _BY_NUMBER)
    return LabelledImages("affectnet", root, items)


def _read_csv(
    root: Path, csv_file: Path, split: str, crop_faces: bool
) -> list[LabelledItem]:
    images = _image_folder(root, csv_file)
    listed = []
    for face in _listed_faces(csv_file):
        if face.label in _LEFT_OUT:
            continue
        if not 0 <= face.label < len(EXPRESSIONS):
            raise InputError(f"{face.where}: label {face.label}; expected 0 to 10")
        path = images / face.file
        item = file_item(path, EXPRESSIONS[face.label])
        if crop_faces:
            read = partial(read_face, path, face.box, item.name)
            item = LabelledItem(item.name, item.expression, read)
        listed.append((path, item))
    check_count(f"affectnet {split}", len(listed), *_COUNTS[split])
    return drop_missing(listed, csv_file)


def _image_folder(root: Path, csv_file: Path) -> Path:
    """The folder of the images of the csv lists."""
    images = first_existing(root, *(f"{at}Manually_Annotated_Images" for at in _PLACES))
    if not images:
        raise InputError(
            f"{root / 'Manually_Annotated_Images'}: no such folder; it should hold the "
            f"images of {csv_file.name}"
        )
    return images


def _listed_faces(csv_file: Path) -> Iterator[_ListedFace]:
    """Reads the rows of a csv list, with or without its header."""
    columns: tuple[str, ...] = _COLUMNS
    for index, (where, fields) in enumerate(csv_rows(csv_file)):
        if index == 0 and "expression" in fields:  # some copies have no header
            columns = tuple(fields)
            if lacking := set(_COLUMNS[:7]) - {"facial_landmarks", *columns}:
                raise InputError(f"{where}: no column {', '.join(sorted(lacking))}")
            continue
        if len(fields) != len(columns):
            raise InputError(
                f"{where}: {len(fields)} columns; expected {', '.join(columns)}"
            )
        row = dict(zip(columns, fields, strict=True))
        label = label_number(row["expression"], where)
        box = (0.0, 0.0, 0.0, 0.0)
        if label not in _LEFT_OUT:  # the others may have no box
            x, y, width, height = (number(row[name], where) for name in _COLUMNS[1:5])
            box = (x, y, x + width, y + height)
        yield _ListedFace(where, row[_COLUMNS[0]], label, box)


def _read_npy(folder: Path) -> list[LabelledItem]:
    paths = list(iter_images(folder / "images"))
    annotations = folder / "annotations"
    labels = list(map_in_threads(partial(_npy_label, annotations), paths))
    broken = [
        str(path)
        for path, label in zip(paths, labels, strict=True)
        if label not in {*range(len(EXPRESSIONS)), *_LEFT_OUT}
    ]
    warn_left_out(annotations, "images have no label", broken, len(paths))
    return [
        file_item(path, EXPRESSIONS[label])
        for path, label in zip(paths, labels, strict=True)
        if label in range(len(EXPRESSIONS))
    ]


def _npy_label(annotations: Path, image: Path) -> int:
    """The label of an image, or -1 if its file is missing or broken."""
    try:
        # 0-d, and in many copies a string.
        return int(float(np.load(annotations / f"{image.stem}_exp.npy").item()))
    except (OSError, ValueError, EOFError):
        return -1


def _csv_file_of(root: Path, split: str) -> Path | None:
    """The csv list of a split, if the copy has it."""
    if split not in _CSV:
        return None
    folders = ("Manually_Annotated_file_lists/", "")
    files = [f"{at}{folder}{_CSV[split]}" for at in _PLACES for folder in folders]
    return first_existing(root, *files)


def _npy_folder_of(root: Path, split: str) -> Path | None:
    """The folder of a split of the npy release, if the copy is one."""
    folder = root / _NPY.get(split, "")
    return folder if (folder / "annotations").is_dir() else None
