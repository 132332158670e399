"""Boxes, similarity transforms, and cutting a face out of a photograph with them."""

from __future__ import annotations

import math
from typing import TypeAlias

import numpy as np
from PIL import Image

from contrawarp_edge.align.crop import Points
from contrawarp_edge.inputs.loading import Pixels

_GRID = 64  # points a side by which the part beyond the rim is measured


def crop_to_photo(points: Points, template: Points) -> Points:
    """The similarity that takes fractions of the crop to pixels of the photo.

    Args:
        points: ``FIVE_POINTS`` of a face in pixels of the photo, ``(5, 2)``.
        template: Where they shall sit in the crop, such as a contract's
            ``five_points``.

    Returns:
        float64 ``(2, 3)``, by least squares over the five points.
    """
    return inverse(fit_similarity(points, template))


def outside_share(matrix: Points, box: Box, width: int, height: int) -> float:
    """How much of a box of the crop lies beyond the photo's rim, 0 to 1.

    Args:
        matrix: From ``crop_to_photo``.
        box: In fractions of the crop.
        width: Of the photo in pixels.
        height: Of the photo in pixels.
    """
    axis = (np.arange(_GRID) + 0.5) / _GRID
    x, y = np.meshgrid(
        box[0] + axis * (box[2] - box[0]), box[1] + axis * (box[3] - box[1])
    )
    x, y = transform(matrix, np.column_stack([x.ravel(), y.ravel()])).T
    inside = (x >= 0) & (x <= width) & (y >= 0) & (y <= height)
    return float(1 - inside.mean())


def cut_out(pixels: Pixels, matrix: Points, size: int) -> Pixels:
    """Samples the crop of a photo.

    Where the crop is coarser than the photo, each of its pixels is the mean of samples
    no further apart than the photo's pixels, so that nothing aliases; where it is
    finer, the photo is interpolated bicubically. What lies beyond the rim is black.

    Args:
        pixels: uint8 ``(H, W, 3)``.
        matrix: From ``crop_to_photo``.
        size: Height and width of the crop in pixels.

    Returns:
        uint8 ``(size, size, 3)``.
    """
    samples = max(1, math.ceil(scale_of(matrix) / size))
    side = size * samples
    # Pillow maps centres of pixels by itself; only the unit has to be changed.
    coefficients = np.column_stack([matrix[:, :2] / side, matrix[:, 2]])
    image = Image.fromarray(pixels).transform(
        (side, side),
        Image.Transform.AFFINE,
        tuple(coefficients.ravel()),
        Image.Resampling.BICUBIC if samples == 1 else Image.Resampling.BILINEAR,
    )
    return np.asarray(image.reduce(samples) if samples > 1 else image)


Box: TypeAlias = tuple[float, float, float, float]
"""``(left, top, right, bottom)``."""


def area(box: Box) -> float:
    """Of a box; 0 if its sides are in the wrong order."""
    return max(0.0, box[2] - box[0]) * max(0.0, box[3] - box[1])


def overlap(one: Box, other: Box) -> float:
    """Intersection over union, 0 to 1."""
    shared = area(
        (
            max(one[0], other[0]),
            max(one[1], other[1]),
            min(one[2], other[2]),
            min(one[3], other[3]),
        )
    )
    union = area(one) + area(other) - shared
    return shared / union if union > 0 else 0.0


def fit_similarity(source: Points, target: Points) -> Points:
    """Finds the turn, scale and shift that bring points closest to others.

    Umeyama's solution without reflections (1991), which in the plane is linear
    regression of complex numbers: ``target = a source + b`` with
    ``a = scale * exp(i angle)``.

    Args:
        source: float ``(N, 2)``, at least two different points.
        target: float ``(N, 2)``.

    Returns:
        float64 ``(2, 3)``: ``target ~ matrix[:, :2] @ source + matrix[:, 2]``.
    """
    z, w = (np.asarray(points, np.float64) @ [1, 1j] for points in (source, target))
    centred = z - z.mean()
    a = np.vdot(centred, w) / np.vdot(centred, centred)
    b = w.mean() - a * z.mean()
    return np.array([[a.real, -a.imag, b.real], [a.imag, a.real, b.imag]])


def transform(matrix: Points, points: Points) -> Points:
    """Applies a ``(2, 3)`` matrix to points ``(N, 2)``."""
    return np.asarray(points @ matrix[:, :2].T + matrix[:, 2])


def inverse(matrix: Points) -> Points:
    """The ``(2, 3)`` matrix that undoes one."""
    linear = np.linalg.inv(matrix[:, :2])
    return np.column_stack([linear, -linear @ matrix[:, 2]])


def scale_of(matrix: Points) -> float:
    """How much a similarity enlarges lengths."""
    return float(np.hypot(matrix[0, 0], matrix[1, 0]))


def angle_of(matrix: Points) -> float:
    """By how much a similarity turns, in radians, clockwise in an image."""
    return float(np.arctan2(matrix[1, 0], matrix[0, 0]))
