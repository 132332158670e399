"""The colour changes of a view: their ranges, and drawing them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float32
from torch import Tensor

from contrawarp_edge.core.ranges import check_interval, check_range

NEUTRAL = (1.0, 1.0, 1.0, 0.0)
"""Factors of brightness, contrast and saturation, and a hue shift: no change."""


@dataclass(frozen=True)
class Photometry:
    """Ranges of the colour changes.

    Attributes:
        jitter_prob: Probability that brightness, contrast, saturation and hue change.
        brightness: Largest difference of the factor from 1, at least 0.
        contrast: As for brightness.
        saturation: As for brightness.
        hue: Largest shift either way, as a fraction of the circle, at most 0.5.
        gray_prob: Probability that the colour goes.
        blur_prob: Probability of Gaussian blur.
        sigmas: Range of the blur's standard deviation in pixels.
        solarize_prob: Probability that the bright half of the values is inverted.

    Raises:
        InputError: If one is outside of its range.
    """

    jitter_prob: float
    brightness: float
    contrast: float
    saturation: float
    hue: float
    gray_prob: float
    blur_prob: float
    sigmas: tuple[float, float]
    solarize_prob: float

    def __post_init__(self) -> None:
        for name in ("jitter_prob", "gray_prob", "blur_prob", "solarize_prob"):
            check_range(name, getattr(self, name), 0, 1)
        for name in ("brightness", "contrast", "saturation"):
            check_range(name, getattr(self, name), 0)
        check_range("hue", self.hue, 0, 0.5)
        check_interval("sigmas", self.sigmas, 0)

    def factor_ranges(self) -> Float32[Tensor, "2 4"]:
        """Lowest and highest values of what ``NEUTRAL`` lists."""
        amounts = (self.brightness, self.contrast, self.saturation)
        low = [*(max(0.0, 1 - amount) for amount in amounts), -self.hue]
        high = [*(1 + amount for amount in amounts), self.hue]
        return torch.tensor([low, high])


class PhotometryParameters(NamedTuple):
    """Drawn colour changes of images; all tensors are on the CPU.

    Attributes:
        order: Order of brightness (0), contrast (1), saturation (2) and hue (3), for
            all of them.
        factors: Brightness, contrast and saturation factor, and hue shift as a
            fraction of the circle; those of ``NEUTRAL`` where an image is not
            jittered.
        gray: Which images lose their colour.
        sigma: Standard deviation of the blur in pixels; 0 for none.
        solarized: Which images are solarised.
        blur_radius: How far a blur reaches in pixels.
    """

    order: list[int]
    factors: Float32[Tensor, "*b 4"]
    gray: Bool[Tensor, "*b"]
    sigma: Float32[Tensor, "*b"]
    solarized: Bool[Tensor, "*b"]
    blur_radius: int

    def select(self, index: slice | tuple[slice, list[int]]) -> PhotometryParameters:
        """The changes of some of the images, or of some views of them."""
        return self._replace(
            factors=self.factors[index],
            gray=self.gray[index],
            sigma=self.sigma[index],
            solarized=self.solarized[index],
        )


def draw_photometry(views: Sequence[Photometry], batch: int) -> PhotometryParameters:
    """Draws the colour changes of some views of each image of a batch.

    Args:
        views: Ranges of each view.
        batch: Number of images.

    Returns:
        Changes of the views of each image, ``[b, v]``.
    """
    ranges = torch.stack([view.factor_ranges() for view in views], dim=1)
    low, high = ranges  # of each view's factors
    jitter_prob, gray_prob, blur_prob, solarize_prob, least, most = torch.tensor(
        [
            (v.jitter_prob, v.gray_prob, v.blur_prob, v.solarize_prob, *v.sigmas)
            for v in views
        ]
    ).T
    numbers = torch.rand(batch, len(views), 9)
    jitter, gray, blur, width, solarize = numbers[..., 4:].unbind(-1)
    factors = low + (high - low) * numbers[..., :4]
    return PhotometryParameters(
        order=torch.randperm(len(NEUTRAL)).tolist(),
        factors=torch.where(
            (jitter < jitter_prob)[..., None], factors, torch.tensor(NEUTRAL)
        ),
        gray=gray < gray_prob,
        sigma=(least + (most - least) * width) * (blur < blur_prob),
        solarized=solarize < solarize_prob,
        blur_radius=math.ceil(3 * max(view.sigmas[1] for view in views)),
    )
