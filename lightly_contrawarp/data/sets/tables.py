"""Reading the tables that labels come in, and checking what was found."""

from __future__ import annotations

import csv
import warnings
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TypeAlias

from contrawarp_edge.errors import InputError
from contrawarp_edge.regular import check_regular
from lightly_contrawarp.data.labelled import LabelledItem

Row: TypeAlias = tuple[str, list[str]]
"""Where a row stands, for messages, and its fields."""


def csv_rows(path: Path) -> Iterator[Row]:
    """Yields the rows of a comma-separated file, the empty ones left out.

    Raises:
        InputError: If the file is missing, no text or no csv.
    """
    check_regular(path)
    with path.open(newline="", encoding="utf-8-sig") as file:
        reader = csv.reader(file)
        try:
            for fields in reader:
                if fields:
                    yield f"{path} line {reader.line_num}", fields
        except (UnicodeDecodeError, csv.Error) as error:
            raise InputError(f"{path}: is no csv file: {error}") from error


def spaced_rows(path: Path) -> Iterator[Row]:
    """Yields the rows of a file with spaces between the fields.

    Raises:
        InputError: If the file is missing or no text.
    """
    check_regular(path)
    with path.open(encoding="utf-8-sig") as file:
        try:
            for number, line in enumerate(file, start=1):
                if fields := line.split():
                    yield f"{path} line {number}", fields
        except UnicodeDecodeError as error:
            raise InputError(f"{path}: is no text file: {error}") from error


def number(text: str, where: str) -> float:
    """Reads a number, or raises `InputError` that says where it stands."""
    try:
        return float(text)
    except ValueError as error:
        raise InputError(f"{where}: {text!r} is no number") from error


def label_number(text: str, where: str) -> int:
    """Reads a label; some files write it as ``3`` and some as ``3.0000000e+00``."""
    value = number(text, where)
    if not value.is_integer():
        raise InputError(f"{where}: {text!r} is no label")
    return int(value)


def first_existing(root: Path, *candidates: str) -> Path | None:
    """The first of some paths below a folder that exists."""
    return next((root / name for name in candidates if (root / name).exists()), None)


def check_count(what: str, found: int, *official: int) -> None:
    """Warns if a copy of a set has another size than the set has officially.

    Args:
        what: The set and its part.
        found: Number of its labels here.
        official: What the number should be; several if there are several releases,
            none if there is no knowing.
    """
    if official and found not in official:
        expected = " or ".join(f"{count:,}" for count in official)
        warnings.warn(
            f"{what}: {found:,} labels found, the full set has {expected}", stacklevel=2
        )


def drop_missing(
    listed: Sequence[tuple[Path, LabelledItem]], source: Path
) -> list[LabelledItem]:
    """Leaves out the items whose image is not there, with a warning.

    Args:
        listed: Each item with its image file.
        source: The list that names them.

    Raises:
        InputError: If not one image is there.
    """
    found = [(path.is_file(), path, item) for path, item in listed]
    items = [item for exists, _, item in found if exists]
    missing = [path for exists, path, _ in found if not exists]
    if missing and not items:
        raise InputError(
            f"{source}: not one of its {len(missing):,} images is there; the first "
            f"should be {missing[0]}"
        )
    warn_left_out(source, "listed images are missing", map(str, missing), len(found))
    return items


def warn_left_out(source: Path, what: str, names: Iterable[str], total: int) -> None:
    """Warns, if there are any, how many items are left out, naming the first."""
    if left_out := list(names):
        warnings.warn(
            f"{source}: {len(left_out):,} of {total:,} {what} and left out, the first: "
            f"{left_out[0]}",
            stacklevel=3,
        )
