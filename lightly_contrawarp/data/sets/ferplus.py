"""FER+: the votes of ten people for each image of FER2013."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import zip_longest
from pathlib import Path

from contrawarp_edge.core.errors import InputError
from lightly_contrawarp.data.labelled import LabelledImages, class_name
from lightly_contrawarp.data.sets.fer2013 import (
    USAGE,
    Fer2013Row,
    csv_file,
    fer2013_rows,
    select_rows,
)
from lightly_contrawarp.data.tables import csv_rows, label_number

_FILE = "fer2013new.csv"
_VOTED = (
    "neutral",
    "happiness",
    "surprise",
    "sadness",
    "anger",
    "disgust",
    "fear",
    "contempt",
)
_NO_EXPRESSION = ("unknown", "NF")


def splits(root: Path) -> tuple[str, ...]:
    """The splits of the set."""
    _files(root)
    return tuple(USAGE.values())


def read(root: Path, split: str, *, drop_duplicates: bool = False) -> LabelledImages:
    """Reads a split; images without a majority are left out.

    Args:
        root: Holds ``fer2013new.csv`` (the votes) and ``fer2013.csv`` (the images),
            row by row the same.
        split: The split.
        drop_duplicates: Whether to leave out images of the other splits that are pixel
            by pixel the same as one of train.
    """
    images, votes = _files(root)
    items = select_rows(images, _labelled_rows(images, votes), split, drop_duplicates)
    return LabelledImages("ferplus", root, items)


def majority(votes: Mapping[str, int]) -> str | None:
    """The expression that most people saw.

    Expressions with a single vote are taken for mistakes. What has more than half of
    the votes that remain is the label, as in the authors' own majority rule.

    Args:
        votes: Number of votes by column of ``fer2013new.csv``.

    Returns:
        Canonical name, or None if there is no majority or it saw no expression or no
        face.

    >>> majority({"neutral": 1, "happiness": 5, "fear": 4})
    'happy'
    >>> majority({"neutral": 5, "sadness": 5}) is None
    True
    """
    counted = {name: count for name, count in votes.items() if count > 1}
    for name, count in counted.items():
        if 2 * count > sum(counted.values()) and name not in _NO_EXPRESSION:
            return class_name(name)
    return None


def _files(root: Path) -> tuple[Path, Path]:
    for folder in (root, root / "fer2013"):
        if (votes := folder / _FILE).is_file():
            if images := csv_file(folder) or csv_file(root):
                return images, votes
            raise InputError(f"{folder}: holds {_FILE} but no fer2013.csv")
    raise InputError(f"{root}: no FER+ here; expected {_FILE} beside fer2013.csv")


def _labelled_rows(
    images: Path, votes: Path
) -> Iterator[tuple[Fer2013Row, str | None]]:
    for row, vote in zip_longest(fer2013_rows(images), _votes(votes)):
        if row is None or vote is None:
            raise InputError(
                f"{votes}: has not as many rows as {images}; both must be complete"
            )
        where, split, label = vote
        if split != row.split:
            raise InputError(f"{where}: is of another split than {row.where}")
        yield row, label


def _votes(path: Path) -> Iterator[tuple[str, str, str | None]]:
    rows = csv_rows(path)
    _, header = next(rows, ("", []))
    wanted = {"Usage", *_VOTED, *_NO_EXPRESSION}
    if lacking := wanted - {*header}:
        raise InputError(f"{path}: no column {', '.join(sorted(lacking))}")
    for where, fields in rows:
        if len(fields) != len(header):
            raise InputError(f"{where}: {len(fields)} columns; expected {len(header)}")
        row = dict(zip(header, fields, strict=True))
        columns = (*_VOTED, *_NO_EXPRESSION)
        votes = {name: label_number(row[name], where) for name in columns}
        yield where, USAGE.get(row["Usage"], row["Usage"]), majority(votes)
