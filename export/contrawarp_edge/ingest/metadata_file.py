"""What a CSV or JSON-lines file, or the path itself, says about images."""

from __future__ import annotations

import csv
import json
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NoReturn, TextIO

from contrawarp_edge.core.errors import InputError
from contrawarp_edge.core.regular_files import check_regular
from contrawarp_edge.gallery.conditions import IDENTITY, parse_value
from contrawarp_edge.inputs.video import split_frame_path

Describe = Callable[[Path], dict[str, Any]]
_JSON = (".jsonl", ".ndjson", ".json")
_DELIMITERS = ",;\t"


class MetadataFile:
    """Rows of metadata by path, in memory: some 200 bytes for each that is short.

    A CSV file has a header with a column ``path``; numbers, ``true`` and ``false`` get
    their type, and empty cells are left out. JSON-lines files (``.jsonl``, ``.ndjson``
    or ``.json``) have an object with ``path`` in each line. Paths are those given to
    ``embed``, or relative to the folder of the file. A row of a video is one of all its
    frames.

    Args:
        file: The file.

    Attributes:
        rows: Number of different paths in it.

    Raises:
        InputError: If it is missing or malformed; the message names the line.
    """

    def __init__(self, file: Path) -> None:
        self._folder = file.parent
        read = _json_rows if file.suffix.lower() in _JSON else _csv_rows
        check_regular(file)
        try:
            with file.open(encoding="utf-8-sig", newline="") as opened:
                # As text: half of what dictionaries of their own would take.
                self._facts = {
                    os.path.normpath(path): json.dumps(facts)
                    for path, facts in read(opened, file)
                }
        except UnicodeError as error:
            raise InputError(f"{file}: not UTF-8 text") from error
        self.rows = len(self._facts)

    def __call__(self, path: Path) -> dict[str, Any]:
        """What the file says about an image, empty if nothing."""
        frame = split_frame_path(str(path))
        names = [str(path)] if frame is None else [str(path), frame[0]]
        for name in names:
            near = os.path.relpath(name, self._folder), os.path.relpath(name)
            for key in (os.path.normpath(name), *near, os.path.abspath(name)):
                if text := self._facts.get(key):
                    facts: dict[str, Any] = json.loads(text)
                    return facts
        return {}


def identity_from_path(pattern: str) -> Describe:
    """Finds who is in an image by a regular expression on its path.

    Args:
        pattern: Searched for in the path. The identity is its group ``identity``, else
            its first group, else all of what it fits.

    Raises:
        InputError: If it is no regular expression.
    """
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        raise InputError(f"{pattern!r}: no regular expression: {error}") from error
    group: str | int = min(compiled.groups, 1)
    if IDENTITY in compiled.groupindex:
        group = IDENTITY

    def describe(path: Path) -> dict[str, Any]:
        match = compiled.search(str(path))
        return {IDENTITY: match[group]} if match and match[group] else {}

    return describe


def _csv_rows(file: TextIO, name: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    header = file.readline()
    for delimiter in _DELIMITERS:
        columns = next(csv.reader([header], delimiter=delimiter), [])
        if "path" in columns:
            break
    else:
        raise InputError(f"{name}: its first line names no column `path`")
    reader = csv.DictReader(file, columns, delimiter=delimiter)
    try:
        for row in reader:
            path = row.pop("path")
            if None in row or path is None:
                _refuse(name, reader.line_num + 1, "has another number of cells")
            yield path, {key: parse_value(row[key]) for key in row if row[key]}
    except csv.Error as error:
        _refuse(name, reader.line_num + 2, str(error))


def _json_rows(file: TextIO, name: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    for number, line in enumerate(file, start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line, parse_constant=_no_json)
        except ValueError:
            row = None
        if not isinstance(row, dict) or not isinstance(row.get("path"), str):
            _refuse(name, number, "is no JSON object with a `path`")
        yield row.pop("path"), row


def _refuse(name: Path, line: int, reason: str) -> NoReturn:
    raise InputError(f"{name}: line {line} {reason}")


def _no_json(text: str) -> NoReturn:
    raise ValueError(text)
