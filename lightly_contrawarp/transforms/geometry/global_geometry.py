"""Global geometry of a view: crop, flips and rotation as one affine map.

Everything is vectorised over the batch and drawn from torch's generator.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float, Float32
from torch import Tensor

_TRIES = 10  # like torchvision's RandomResizedCrop
_RATIO = (3 / 4, 4 / 3)


@dataclass(frozen=True)
class GlobalGeometry:
    """Ranges of the global geometry, named as in Lightly's BYOL transform.

    Attributes:
        min_scale: Smallest area of the crop, as a fraction of the image.
        hf_prob: Probability of a horizontal flip.
        vf_prob: Probability of a vertical flip.
        rr_prob: Probability of a rotation.
        rr_degrees: Range of the rotation, counter-clockwise. A number ``a`` means
            ``[-a, a]``; ``None`` means 90 degrees exactly.
    """

    min_scale: float = 0.8
    hf_prob: float = 0.5
    vf_prob: float = 0.0
    rr_prob: float = 0.5
    rr_degrees: float | tuple[float, float] | None = 6.0

    def draw_flips(self, batch: int) -> Float32[Tensor, "b 2"]:
        """Draws flips, horizontal and vertical: +1 or -1."""
        chances = torch.tensor([self.hf_prob, self.vf_prob])
        return 1.0 - 2.0 * (torch.rand(batch, 2) < chances).float()

    def draw(
        self,
        batch: int,
        aspect: float = 1.0,
        flips: Float[Tensor, "b 2"] | None = None,
    ) -> Float[Tensor, "b 2 3"]:
        """Draws affine maps from output to source coordinates.

        Args:
            batch: Number of views.
            aspect: Width over height of the source in pixels.
            flips: Flips to use, +1 or -1; drawn if ``None``.

        Returns:
            The maps, in coordinates where the image is the unit square.
        """
        if flips is None:
            flips = self.draw_flips(batch)
        center, extent = _draw_crops(batch, self.min_scale, aspect)
        angle = (torch.rand(batch) < self.rr_prob) * self._draw_angles(batch)
        # A square output turns about its middle, is flipped, and shows the crop.
        cos, sin = angle.cos(), angle.sin()
        turn = torch.stack([cos, -sin, sin, cos], dim=-1).view(batch, 2, 2)
        linear = (extent * flips)[..., None] * turn
        shift = center - linear.sum(-1) / 2
        return torch.cat([linear, shift[..., None]], dim=-1)

    def _draw_angles(self, batch: int) -> Float[Tensor, " b"]:
        if self.rr_degrees is None:
            return torch.full((batch,), math.pi / 2)
        if isinstance(self.rr_degrees, tuple):
            low, high = self.rr_degrees
        else:
            low, high = -self.rr_degrees, self.rr_degrees
        return torch.deg2rad(low + (high - low) * torch.rand(batch))


def _draw_crops(
    batch: int, min_scale: float, aspect: float
) -> tuple[Float[Tensor, "b 2"], Float[Tensor, "b 2"]]:
    """Centres and extents distributed as in ``RandomResizedCrop``."""
    area = min_scale + (1 - min_scale) * torch.rand(batch, _TRIES)
    low, high = math.log(_RATIO[0]), math.log(_RATIO[1])
    ratio = (low + (high - low) * torch.rand(batch, _TRIES)).exp() / aspect
    tries = torch.stack([(area * ratio).sqrt(), (area / ratio).sqrt()], dim=-1)
    fits = (tries <= 1).all(-1)
    first = fits.int().argmax(dim=1)
    extent = tries[torch.arange(batch), first]
    # Nothing fitted: the largest centred crop whose ratio is allowed.
    whole = min(max(aspect, _RATIO[0]), _RATIO[1]) / aspect
    largest = torch.tensor([min(1.0, whole), min(1.0, 1 / whole)])
    extent = torch.where(fits.any(1, keepdim=True), extent, largest)
    place = torch.where(fits.any(1, keepdim=True), torch.rand(batch, 2), 0.5)
    return extent / 2 + place * (1 - extent), extent
