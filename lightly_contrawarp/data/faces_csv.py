"""``faces.csv``: landmarks, tracks and times of the face crops in a folder.

``contrawarp-edge align`` leaves it beside its crops. A row names a crop and the points
in it; rows of a video also tell the track, which is one person's, and the time.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from contrawarp_edge.align.crop import FIVE_POINTS
from contrawarp_edge.align.reports import COLUMNS
from contrawarp_edge.core.errors import InputError
from lightly_contrawarp.data.tables import csv_rows, number
from lightly_contrawarp.transforms.geometry.landmarks import (
    from_five_points,
    landmarks_of,
)

POINT_COLUMNS = COLUMNS[-2 * len(FIVE_POINTS) :]

# A face may be cut off, but what lies beyond these is in pixels or another mistake.
_RANGE = (-1.0, 2.0)
_EXTENT = 0.05


class CropRow(NamedTuple):
    """What is known about one crop.

    Attributes:
        points: x and y of `FIVE_POINTS` as fractions of the crop, or ``None``.
        track: Names the face track, the same person in one video; or ``None``.
        time: In seconds, or ``None``.
    """

    points: tuple[float, ...] | None
    track: str | None
    time: float | None


class FaceFacts(NamedTuple):
    """What is known about some images, in their order.

    Attributes:
        landmarks: Float32 ``[N, P, 2]`` in the order of ``FACE_CROP``; the contract's
            where an image has none of its own.
        known: Number of images with landmarks of their own.
        tracks: Track of each image, or ``None``.
        times: Time of each image in seconds, or ``None``.
    """

    landmarks: Tensor
    known: int
    tracks: list[str | None]
    times: list[float | None]


def read_faces_csv(file: Path) -> dict[Path, CropRow]:
    """Reads a ``faces.csv``.

    Args:
        file: Has the columns ``path``, relative to the file's folder, and
            `POINT_COLUMNS`, all empty where there is no landmark; if wanted ``track``
            and ``time``; and any others.

    Returns:
        A row for each path, which begins with the folder of ``file``.

    Raises:
        InputError: If it is malformed; the message names the line.
    """
    rows: dict[Path, CropRow] = {}
    columns: list[str] = []
    for where, fields in csv_rows(file):
        if not columns:
            columns = fields
            if lacking := [n for n in ("path", *POINT_COLUMNS) if n not in fields]:
                raise InputError(
                    f"{where}: no column {', '.join(lacking)}; expected a table of "
                    "contrawarp-edge align"
                )
            continue
        if len(fields) != len(columns):
            raise InputError(f"{where}: {len(fields)} columns, not {len(columns)}")
        row = dict(zip(columns, fields, strict=True))
        path = file.parent / row["path"]
        if not row["path"] or path in rows:
            problem = "is listed twice" if row["path"] else "is no path"
            raise InputError(f"{where}: {row['path']!r} {problem}")
        time = row.get("time")
        rows[path] = CropRow(
            _points(row, where),
            row.get("track") or None,
            _finite(time, where) if time else None,
        )
    if not columns:
        raise InputError(f"{file}: is empty")
    return rows


def facts_of(paths: Sequence[Path], rows: Mapping[Path, CropRow]) -> FaceFacts:
    """Puts rows in the order of images; what is not known of an image is filled."""
    found = [rows.get(path, CropRow(None, None, None)) for path in paths]
    points = {
        path: row.points
        for path, row in zip(paths, found, strict=True)
        if row.points is not None
    }
    five = torch.tensor(list(points.values())).view(-1, 5, 2)
    own = dict(zip(points, from_five_points(five), strict=True))
    return FaceFacts(
        landmarks_of(paths, own),
        len(own),
        [row.track for row in found],
        [row.time for row in found],
    )


def csv_header(*more: str) -> list[str]:
    """The columns of a ``faces.csv``, and some after them."""
    return [*COLUMNS, *more]


def _points(row: Mapping[str, str], where: str) -> tuple[float, ...] | None:
    texts = [row[name] for name in POINT_COLUMNS]
    if not any(texts):
        return None
    values = tuple(_finite(text, where) for text in texts)
    extent = max(max(axis) - min(axis) for axis in (values[0::2], values[1::2]))
    if not (_RANGE[0] <= min(values) and max(values) <= _RANGE[1]) or extent < _EXTENT:
        raise InputError(
            f"{where}: the points of a face, as fractions of the crop, "
            f"cannot be {', '.join(texts)}"
        )
    return values


def _finite(text: str, where: str) -> float:
    value = number(text, where)
    if not math.isfinite(value):
        raise InputError(f"{where}: {text!r} is no number")
    return value
