"""Cutting a face out of a photograph, turned and scaled to the crop contract."""

from __future__ import annotations

import math

import numpy as np
from PIL import Image

from contrawarp_edge.align.boxes import Box
from contrawarp_edge.align.similarity import (
    fit_similarity,
    inverse,
    scale_of,
    transform,
)
from contrawarp_edge.crop import Points
from contrawarp_edge.loading import Pixels

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
