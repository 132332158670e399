"""FER2013: the csv of the challenge, and the copies sorted into folders."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from contrawarp_edge.core.errors import InputError
from lightly_contrawarp.data.labelled import LabelledImages, LabelledItem
from lightly_contrawarp.data.sets.checks import check_count, first_existing
from lightly_contrawarp.data.sets.class_folders import read_repack, split_folders
from lightly_contrawarp.data.tables import csv_rows, label_number

_SIDE = 48
_EMOTIONS = ("anger", "disgust", "fear", "happy", "sad", "surprise", "neutral")
USAGE = {"Training": "train", "PublicTest": "validation", "PrivateTest": "test"}
"""Our name of each split by the one in the csv."""

_COUNTS = {"train": (28_709,), "validation": (3_589,), "test": (3_589,)}
_FOLDER_COUNTS = {**_COUNTS, "test": (3_589, 7_178)}  # often both tests in one


class Fer2013Row(NamedTuple):
    """A row of the csv.

    Attributes:
        number: Its position, from 0 after the header.
        where: The file and line, for messages.
        split: The split that it belongs to.
        expression: The label of the challenge.
        pixels: 48 x 48 grey values as text.
    """

    number: int
    where: str
    split: str
    expression: str
    pixels: str


def splits(root: Path) -> tuple[str, ...]:
    """The splits of a copy."""
    if csv_file(root):
        return tuple(_COUNTS)
    if folders := root.is_dir() and split_folders(root):
        return tuple(folders)
    raise InputError(
        f"{root}: no FER2013 here; expected fer2013.csv, or train/happy/*.jpg"
    )


def read(root: Path, split: str, *, drop_duplicates: bool = False) -> LabelledImages:
    """Reads a split.

    torchvision's loader cannot be used: it takes the complete csv only and throws both
    tests together.

    Args:
        root: ``fer2013.csv`` or ``icml_face_data.csv``, or a folder that holds it; or
            the folder of ``train/happy/*.jpg``, whose classes are told by name.
        split: One of `splits`.
        drop_duplicates: See `select_rows`; with the csv only.
    """
    if path := csv_file(root):
        rows = ((row, row.expression) for row in fer2013_rows(path))
        items = select_rows(path, rows, split, drop_duplicates)
        return LabelledImages("fer2013", root, items)
    if drop_duplicates:
        raise InputError(f"{root}: duplicates can be found with fer2013.csv only")
    items = read_repack(root, split)
    check_count(f"fer2013 {split}", len(items), *_FOLDER_COUNTS[split])
    return LabelledImages("fer2013", root, items)


def csv_file(root: Path) -> Path | None:
    """The csv of a copy, if there is one."""
    if root.is_file():
        return root
    names = ("fer2013.csv", "icml_face_data.csv")
    return first_existing(root, *names, *(f"fer2013/{name}" for name in names))


def fer2013_rows(path: Path) -> Iterator[Fer2013Row]:
    """Yields the rows of the csv, whatever the order of its columns.

    Raises:
        InputError: If a column is missing, or a label or split is unknown.
    """
    rows = csv_rows(path)
    _, header = next(rows, ("", []))
    columns = [name.strip() for name in header]
    if lacking := {"emotion", "pixels", "Usage"} - {*columns}:
        raise InputError(
            f"{path}: no column {', '.join(sorted(lacking))}; expected a csv with "
            "emotion,pixels,Usage"
        )
    for index, (where, fields) in enumerate(rows):
        if len(fields) != len(columns):
            raise InputError(
                f"{where}: {len(fields)} columns; expected {', '.join(columns)}"
            )
        row = {name: text.strip() for name, text in zip(columns, fields, strict=True)}
        label = label_number(row["emotion"], where)
        split = USAGE.get(row["Usage"])
        if split is None or not 0 <= label < len(_EMOTIONS):
            raise InputError(
                f"{where}: label {label} of split {row['Usage']!r}; expected 0 to 6 "
                f"of {', '.join(USAGE)}"
            )
        yield Fer2013Row(index, where, split, _EMOTIONS[label], row["pixels"])


def select_rows(
    path: Path,
    rows: Iterable[tuple[Fer2013Row, str | None]],
    split: str,
    drop_duplicates: bool,
) -> list[LabelledItem]:
    """Makes items of the rows of a split.

    Args:
        path: The csv.
        rows: All its rows, each with its label; those without one are left out.
        split: The split.
        drop_duplicates: Whether to leave out images of the other splits that are pixel
            by pixel the same as one of train.
    """
    count = 0
    labelled: list[tuple[bytes, LabelledItem]] = []
    train: set[bytes] = set()
    for row, expression in rows:
        if row.split == split:
            count += 1
            if expression is not None:
                pixels = _grey_values(row.pixels)
                name = f"{path} row {row.number}"
                read = partial(_grey_image, name, pixels)
                labelled.append((pixels, LabelledItem(name, expression, read)))
        elif drop_duplicates and row.split == "train":
            train.add(_grey_values(row.pixels))
    check_count(f"{path} {split}", count, *_COUNTS[split])
    return [item for pixels, item in labelled if pixels not in train]


def _grey_values(text: str) -> bytes:
    """The pixels of a row, or nothing if they are no image."""
    try:
        values = np.fromstring(text, dtype=np.int64, sep=" ")
    except ValueError:
        return b""
    if values.size != _SIDE**2 or values.min() < 0 or values.max() > 255:
        return b""
    return values.astype(np.uint8).tobytes()


def _grey_image(name: str, pixels: bytes) -> Image.Image:
    if not pixels:
        raise InputError(
            f"{name}: does not hold {_SIDE} x {_SIDE} values from 0 to 255"
        )
    return Image.frombytes("L", (_SIDE, _SIDE), pixels).convert("RGB")
