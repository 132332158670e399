"""The five landmarks of CelebA's aligned faces; the set has no expressions."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from contrawarp_edge.align.crop import FIVE_POINTS
from contrawarp_edge.core.errors import InputError
from lightly_contrawarp.data.sets.checks import check_count, first_existing
from lightly_contrawarp.data.tables import number, spaced_rows
from lightly_contrawarp.transforms.landmarks import from_five_points

_SIZE = (178, 218)
_COUNT = 202_599


class CelebaLandmarks(NamedTuple):
    """Where the landmarks of the aligned faces are.

    Attributes:
        names: File name of each image.
        points: float32 of shape ``(N, 5, 2)``: x and y of each of ``FIVE_POINTS`` as
            fractions of the image, (0, 0) being its outer upper left corner, as in a
            `CropContract`.
    """

    names: list[str]
    points: NDArray[np.float32]


def read_celeba_landmarks(root: Path) -> CelebaLandmarks:
    """Reads the landmarks of the aligned faces (178 x 218 pixels).

    Args:
        root: ``list_landmarks_align_celeba.txt`` or ``.csv``, or a folder that holds
            it, if wanted below ``celeba/`` or ``Anno/``.

    Raises:
        InputError: If there is no such file or a row is not as expected.
    """
    path = root if root.is_file() else _find(root)
    names: list[str] = []
    values: list[list[float]] = []
    for where, spaced in spaced_rows(path):
        fields = [field for text in spaced for field in text.split(",")]
        if not names and fields[-1].endswith("_y"):
            continue  # the header
        if not names and len(fields) == 1 and fields[0].isdigit():
            continue  # the count above it
        if len(fields) != 11:
            raise InputError(f"{where}: expected a file name and 10 coordinates")
        names.append(fields[0])
        values.append([number(text, where) for text in fields[1:]])
    if not names:
        raise InputError(f"{path}: holds no landmarks")
    check_count("celeba", len(names), _COUNT)
    pixels = np.asarray(values).reshape(-1, len(FIVE_POINTS), 2)
    # A coordinate means the centre of its pixel.
    points = (pixels + 0.5) / np.asarray(_SIZE)
    return CelebaLandmarks(names, points.astype(np.float32))


def celeba_face_landmarks(root: Path, images: Path) -> dict[Path, Tensor]:
    """The landmarks to warp around of each aligned face.

    Args:
        root: As for `read_celeba_landmarks`.
        images: The folder of the aligned images.

    Returns:
        Float32 ``[P, 2]`` in the order of ``FACE_CROP`` by path of the image, which
        begins with ``images``.

    Raises:
        InputError: As for `read_celeba_landmarks`.
    """
    names, points = read_celeba_landmarks(root)
    found = from_five_points(torch.from_numpy(points), aspect=_SIZE[0] / _SIZE[1])
    return {images / name: one for name, one in zip(names, found, strict=True)}


def _find(root: Path) -> Path:
    stem = "list_landmarks_align_celeba"
    files = [
        f"{at}{stem}{end}"
        for at in ("", "celeba/", "Anno/")
        for end in (".txt", ".csv")
    ]
    if path := first_existing(root, *files):
        return path
    raise InputError(f"{root}: no CelebA landmarks here; expected {stem}.txt")
