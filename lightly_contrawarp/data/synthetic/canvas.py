"""Painting of signed distances onto a batch of images.

Only operations that IEEE 754 rounds exactly are used on pixels (no ``exp``, ``sin``,
``pow`` or fused ``lerp``): vector and scalar code then agree to the last bit, and a
face does not depend on the batch it was rendered in.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Canvas:
    """A batch of images, or a window of it, with the face coordinates of its pixels.

    Attributes:
        pixels: ``(n, 3, h, w)`` float32 in [0, 1], painted on in place.
        head_u: ``(n, h, w)`` distance to the right of the middle of the head.
        head_v: ``(n, h, w)`` distance below the middle of the head.
        u: As ``head_u``, following the turn of the head, for facial features.
        v: As ``head_v``, following the nod of the head, for facial features.
        pixel: ``(n, 1, 1)`` size of a pixel in face coordinates.
    """

    pixels: Tensor
    head_u: Tensor
    head_v: Tensor
    u: Tensor
    v: Tensor
    pixel: Tensor

    def window(self, left: float, top: float, right: float, bottom: float) -> Canvas:
        """A view of the pixels in a box, in fractions of the image."""
        height, width = self.pixels.shape[-2:]
        rows = slice(int(top * height), round(bottom * height))
        columns = slice(int(left * width), round(right * width))
        return Canvas(
            pixels=self.pixels[..., rows, columns],
            head_u=self.head_u[..., rows, columns],
            head_v=self.head_v[..., rows, columns],
            u=self.u[..., rows, columns],
            v=self.v[..., rows, columns],
            pixel=self.pixel,
        )

    def coverage(self, distance: Tensor) -> Tensor:
        """Share of each pixel that is inside, from a signed distance ``(n, h, w)``."""
        return (0.5 - distance / self.pixel).clamp_(0.0, 1.0)

    def blend(self, colour: Tensor, opacity: Tensor) -> None:
        """Lay a colour ``(n, 3, 1 or h, 1 or w)`` on with opacity ``(n, h, w)``."""
        self.pixels.add_((colour - self.pixels).mul_(opacity[:, None]))

    def fill(self, distance: Tensor, colour: Tensor) -> None:
        """Paint the inside of a shape, with anti-aliased edges."""
        self.blend(colour, self.coverage(distance))


def ellipse(x: Tensor, y: Tensor, rx: Tensor | float, ry: Tensor | float) -> Tensor:
    """Signed distance to an ellipse, exact to first order at its outline."""
    nx, ny = x / rx, y / ry
    level = nx * nx + ny * ny - 1.0
    gx, gy = nx / rx, ny / ry
    return level / ((gx * gx + gy * gy).sqrt_() * 2.0 + 1e-6)


def soft_step(value: Tensor) -> Tensor:
    """Smooth step from 0 to 1 as ``value`` goes from 0 to 1."""
    value = value.clamp(0.0, 1.0)
    return value * value * (3.0 - 2.0 * value)


def glow(x: Tensor, y: Tensor, rx: Tensor | float, ry: Tensor | float) -> Tensor:
    """A soft spot: 1 in its middle, 0 outside of the radii."""
    nx, ny = x / rx, y / ry
    rest = (1.0 - nx * nx - ny * ny).clamp_(min=0.0)
    return rest * rest


def intersect(*distances: Tensor) -> Tensor:
    """Signed distance to what is inside of all shapes."""
    result = distances[0]
    for distance in distances[1:]:
        result = torch.maximum(result, distance)
    return result


def hash_unit(index: Tensor) -> Tensor:
    """Noise in [0, 1), float32, from a non-negative int64 index below 2**32."""
    mixed = index
    for _ in range(2):
        mixed = ((mixed ^ (mixed >> 16)) * 0x45D9F3B) & 0xFFFFFFFF
    return ((mixed ^ (mixed >> 16)) & 0xFFFFFF).float() / float(1 << 24)
