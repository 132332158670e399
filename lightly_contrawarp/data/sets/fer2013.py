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
from lightly_contrawarp.data.sets.class_folders import part_folders, read_repack
from lightly_contrawarp.data.tables import csv_rows, label_number

_SIDE = 48
_EMOTIONS = ("anger", "disgust", "fear", "happy", "sad", "surprise", "neutral")
USAGE = {"Training": "train", "PublicTest": "validation", "PrivateTest": "test"}
"""Our name of each part by the one in the csv."""

_COUNTS = {"train": (28_709,), "validation": (3_589,), "test": (3_589,)}
_FOLDER_COUNTS = {**_COUNTS, "test": (3_589, 7_178)}  # often both tests in one


class Fer2013Row(NamedTuple):
    """A row of the csv.

    Attributes:
        number: Its position, from 0 after the header.
        where: The file and line, for messages.
        part: The part that it belongs to.
        expression: The label of the challenge.
        pixels: 48 x 48 grey values as text.
    """

    number: int
    where: str
    part: str
    expression: str
    pixels: str


def parts(root: Path) -> tuple[str, ...]:
    """The parts of a copy."""
    if csv_file(root):
        return tuple(_COUNTS)
    if folders := root.is_dir() and part_folders(root):
        return tuple(folders)
    raise InputError(
        f"{root}: no FER2013 here; expected fer2013.csv, or train/happy/*.jpg"
    )


def read(root: Path, part: str, *, drop_duplicates: bool = False) -> LabelledImages:
    """Reads a part.

    torchvision's loader cannot be used: it takes the complete csv only and throws both
    tests together.

    Args:
        root: ``fer2013.csv`` or ``icml_face_data.csv``, or a folder that holds it; or
            the folder of ``train/happy/*.jpg``, whose classes are told by name.
        part: One of `parts`.
        drop_duplicates: See `select_rows`; with the csv only.
    """
    if path := csv_file(root):
        rows = ((row, row.expression) for row in fer2013_rows(path))
        items = select_rows(path, rows, part, drop_duplicates)
        return LabelledImages("fer2013", root, items)
    if drop_duplicates:
        raise InputError(f"{root}: duplicates can be found with fer2013.csv only")
    items = read_repack(root, part)
    check_count(f"fer2013 {part}", len(items), *_FOLDER_COUNTS[part])
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
        InputError: If a column is missing, or a label or part is unknown.
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
        part = USAGE.get(row["Usage"])
        if part is None or not 0 <= label < len(_EMOTIONS):
            raise InputError(
                f"{where}: label {label} of part {row['Usage']!r}; expected 0 to 6 "
                f"of {', '.join(USAGE)}"
            )
        yield Fer2013Row(index, where, part, _EMOTIONS[label], row["pixels"])


def select_rows(
    path: Path,
    rows: Iterable[tuple[Fer2013Row, str | None]],
    part: str,
    drop_duplicates: bool,
) -> list[LabelledItem]:
    """Makes items of the rows of a part.

    Args:
        path: The csv.
        rows: All its rows, each with its label; those without one are left out.
        part: The part.
        drop_duplicates: Whether to leave out images of the other parts that are pixel
            by pixel the same as one of train.
    """
    count = 0
    labelled: list[tuple[bytes, LabelledItem]] = []
    train: set[bytes] = set()
    for row, expression in rows:
        if row.part == part:
            count += 1
            if expression is not None:
                pixels = _grey_values(row.pixels)
                name = f"{path} row {row.number}"
                read = partial(_grey_image, name, pixels)
                labelled.append((pixels, LabelledItem(name, expression, read)))
        elif drop_duplicates and row.part == "train":
            train.add(_grey_values(row.pixels))
    check_count(f"{path} {part}", count, *_COUNTS[part])
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
