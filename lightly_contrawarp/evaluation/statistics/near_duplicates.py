"""Images that are nearly the same, found by small grey pictures of them."""

from __future__ import annotations

import numpy as np
from jaxtyping import Shaped
from numpy.typing import NDArray
from PIL import Image
from scipy.sparse import csr_array, vstack

from lightly_contrawarp.evaluation.statistics.arrays import Floats

SIDE = 16
"""Side of a thumbnail in pixels."""

THRESHOLD = 0.93
"""Two thumbnails that correlate by more than this are of one photograph. Between the
training and the validation images of FER2013 nearly all pairs above it are the same
photograph, cut out, lit or marked in another way; below 0.92 most are two photographs
that look alike."""

_AT_ONCE = 256


def thumbnail(image: Image.Image) -> Shaped[NDArray[np.uint8], " pixels"]:
    """A small grey picture of an image, row by row, `SIDE` times `SIDE` pixels."""
    grey = image.convert("L").resize((SIDE, SIDE), Image.Resampling.BOX)
    return np.asarray(grey).ravel()


def near_duplicates(
    test: Shaped[NDArray[np.uint8], "t pixels"],
    train: Shaped[NDArray[np.uint8], "n pixels"],
) -> csr_array:
    """Marks pairs of which the thumbnails correlate by more than `THRESHOLD`.

    Brightness and contrast do not matter. A thumbnail of one shade is like no other.

    Args:
        test: Thumbnails of test images; see `thumbnail`.
        train: Thumbnails of training images.

    Returns:
        Sparse booleans ``[t, n]``.
    """
    wanted, bank = _standardised(test), _standardised(train).T
    blocks = (
        csr_array(wanted[start : start + _AT_ONCE] @ bank > THRESHOLD)
        for start in range(0, len(wanted), _AT_ONCE)
    )
    return csr_array(vstack([*blocks]))


def _standardised(
    thumbnails: Shaped[NDArray[np.uint8], "n pixels"],
) -> Shaped[Floats, "n pixels"]:
    values = thumbnails.astype(np.float32)
    values -= values.mean(axis=1, keepdims=True)
    lengths = np.linalg.norm(values, axis=1, keepdims=True)
    return np.asarray(values / np.where(lengths > 0, lengths, 1))
