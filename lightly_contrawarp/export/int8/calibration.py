"""Which images of a folder calibrate, and which ones judge the result."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch

from contrawarp_edge.core.errors import NotApplicableError
from contrawarp_edge.inputs.images import iter_images

SEED = 0
"""Seed of the draw: the same folder always gives the same images."""

CALIBRATION_IMAGES = 256
HELD_OUT_IMAGES = 1000
MIN_IMAGES = 100
"""Fewest images of each kind; fewer neighbours are too easy to agree on."""


@dataclass(frozen=True)
class ImageSample:
    """Images drawn from a folder; no image is in both lists.

    Attributes:
        folder: The folder.
        calibration: Images to take the ranges of activations from.
        held_out: Other images, to compare models on.
    """

    folder: Path
    calibration: list[Path]
    held_out: list[Path]


def draw_sample(folder: Path) -> ImageSample:
    """Draws images at random, always the same ones.

    Args:
        folder: Searched with all its sub-folders.

    Returns:
        `CALIBRATION_IMAGES` and `HELD_OUT_IMAGES` of them, or at least `MIN_IMAGES`
        of each if there are not that many.

    Raises:
        InputError: If there are fewer than twice `MIN_IMAGES`.
    """
    found = list(iter_images(folder))
    if len(found) < 2 * MIN_IMAGES:
        raise NotApplicableError(
            f"{folder}: {len(found)} images are too few; give at least "
            f"{2 * MIN_IMAGES}, one half to calibrate and the other to compare on"
        )
    order = torch.randperm(len(found), generator=torch.Generator().manual_seed(SEED))
    drawn = [found[position] for position in order.tolist()]
    calibration = min(CALIBRATION_IMAGES, len(drawn) // 2)
    return ImageSample(
        folder,
        drawn[:calibration],
        drawn[calibration : calibration + HELD_OUT_IMAGES],
    )
