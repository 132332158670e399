"""Rows and numbers of the text tables that data sets come with."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import TypeAlias

from contrawarp_edge.core.errors import InputError
from contrawarp_edge.core.regular_files import check_regular

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
