"""Cutting one face out of a photo by the box that a data set gives for it."""

from __future__ import annotations

from pathlib import Path

from PIL import Image

from contrawarp_edge.core.errors import InputError
from contrawarp_edge.inputs.images import read_rgb

Box = tuple[float, float, float, float]
"""Left, top, right and bottom of a face, in pixels."""


def crop_face(image: Image.Image, box: Box) -> Image.Image:
    """Cuts out the smallest square around a box, so that resizing distorts no face.

    A square that would stick out is moved inside the image; of one that is larger than
    the image, the part inside is taken.

    Args:
        image: The whole photo.
        box: The face in it; the box may stick out.

    Returns:
        The crop, in the mode of ``image``.

    Raises:
        InputError: If the box is empty or lies outside the image.
    """
    left, top, right, bottom = box
    width, height = image.size
    # Written so that it also catches NaN.
    if not (max(left, 0) < min(right, width) and max(top, 0) < min(bottom, height)):
        raise InputError(
            f"the face box {box} is empty or outside its {width} x {height} image"
        )
    side = max(right - left, bottom - top)
    x0, x1 = _span((left + right) / 2, side, width)
    y0, y1 = _span((top + bottom) / 2, side, height)
    return image.crop((x0, y0, x1, y1))


def read_face(path: Path, box: Box, name: str) -> Image.Image:
    """Reads one face of a photo.

    Args:
        path: The photo.
        box: The face in it.
        name: What messages call the face.

    Raises:
        InputError: If the photo cannot be decoded or the box is not in it. The message
            begins with ``name``.
    """
    image = read_rgb(path, name=name)
    try:
        return crop_face(image, box)
    except InputError as error:
        raise InputError(f"{name}: {error}") from error


def _span(centre: float, side: float, size: int) -> tuple[int, int]:
    length = min(max(round(side), 1), size)
    start = min(max(round(centre - length / 2), 0), size - length)
    return start, start + length
