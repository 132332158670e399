"""Whether the faces of a set sit where the crop contract wants them."""

from __future__ import annotations

import time
from collections.abc import Iterable
from itertools import islice
from pathlib import Path

import numpy as np

from contrawarp_edge.align.crop import CropContract, Points
from contrawarp_edge.align.detector import can_detect, find_large_faces
from contrawarp_edge.align.geometry import fit_similarity, scale_of
from contrawarp_edge.core.errors import InputError
from contrawarp_edge.inputs.images import read_rgb
from contrawarp_edge.inputs.video import is_video

MAX_OFFSET = 0.2
"""Of eyes, nose and mouth corners in the mean, in distances between the eyes."""

_MOST_IMAGES = 64
_ENOUGH_FACES = 24
_FEWEST_FACES = 8
_SECONDS = 5.0


def framing_warning(
    paths: Iterable[Path], count: int, contract: CropContract
) -> str | None:
    """Looks at a sample of images and says how far off the crop contract they are.

    Of up to 64 images, evenly spread, until 24 faces were found or 5 seconds have gone.

    Args:
        paths: All images.
        count: How many they are.
        contract: How a face has to sit in an image.

    Returns:
        A line, or None: the typical face is within ``MAX_OFFSET``, fewer than 8 faces
        were found, or no detector is installed.
    """
    if not can_detect():
        return None
    end = time.monotonic() + _SECONDS
    points: list[Points] = []
    for path in islice(paths, 0, None, max(1, count // _MOST_IMAGES)):
        if len(points) == _ENOUGH_FACES or time.monotonic() > end:
            break
        found = _points_in(path)
        if found is not None:
            points.append(found)
    if len(points) < _FEWEST_FACES:
        return None
    offset, scale = typical_offset(np.stack(points), contract)
    if offset <= MAX_OFFSET:
        return None
    return (
        f"faces are not cropped as models expect them: {offset:.2f} eye distances off, "
        f"{scale:.2f} times as large; cut "
        "them out with --align or `contrawarp-edge align`"
    )


def typical_offset(points: Points, contract: CropContract) -> tuple[float, float]:
    """How far the typical face is off the contract.

    Args:
        points: ``FIVE_POINTS`` of N faces as fractions of their images, ``(N, 5, 2)``.
        contract: Where they should be.

    Returns:
        Root mean square distance between the medians of the five points and the
        contract's, in distances of its eyes; and how many times as large the face is.
    """
    typical = np.median(points, axis=0)
    squares = ((typical - contract.five_points) ** 2).sum(axis=1)
    offset = float(np.sqrt(squares.mean())) / contract.interocular
    return offset, scale_of(fit_similarity(contract.five_points, typical))


def _points_in(path: Path) -> Points | None:
    if is_video(path):
        return None
    try:
        pixels = np.asarray(read_rgb(path))
    except InputError:
        return None
    faces = find_large_faces(pixels)
    return faces[0].points / pixels.shape[1::-1] if faces else None
