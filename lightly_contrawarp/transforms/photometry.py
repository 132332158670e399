"""Colour changes of a batch of views: drawn in one place, applied in another."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from kornia.filters import gaussian_blur2d
from torch import Tensor

from lightly_contrawarp.transforms.view_transform import ContraWarpViewTransform

_LUMA = (0.299, 0.587, 0.114)
_HUE = 3


class Photometry(NamedTuple):
    """Drawn colour changes of a batch of images; all tensors are on the CPU.

    Attributes:
        order: Order of brightness (0), contrast (1), saturation (2) and hue (3), for
            the whole batch.
        factors: Brightness, contrast and saturation factor, and hue shift as a
            fraction of the circle, float ``[..., 4]``; those that change nothing where
            an image is not jittered.
        gray: Which images lose their colour, ``[...]``.
        sigma: Standard deviation of the blur in pixels, ``[...]``; 0 for none.
        solarized: Which images are solarised, ``[...]``.
        blur_radius: How far a blur reaches in pixels.
    """

    order: list[int]
    factors: Tensor
    gray: Tensor
    sigma: Tensor
    solarized: Tensor
    blur_radius: int

    def select(self, index: slice | tuple[slice, list[int]]) -> Photometry:
        """The changes of some of the images, or of some views of them."""
        return self._replace(
            factors=self.factors[index],
            gray=self.gray[index],
            sigma=self.sigma[index],
            solarized=self.solarized[index],
        )


def draw_photometry(views: Sequence[ContraWarpViewTransform], batch: int) -> Photometry:
    """Draws the colour changes of some views of each image of a batch.

    Args:
        views: Settings of ``V`` views.
        batch: Number of images.

    Returns:
        Changes of ``[batch, V]`` images.
    """
    drawn = [_draw(view, batch) for view in views]
    factors, gray, sigma, solarized = (
        torch.stack(parts, dim=1) for parts in zip(*drawn, strict=True)
    )
    order = torch.randperm(4).tolist()
    radius = math.ceil(3 * max(view.blur.sigmas[1] for view in views))
    return Photometry(order, factors, gray, sigma, solarized, radius)


def _draw(
    view: ContraWarpViewTransform, batch: int
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    jittered = torch.rand(batch) < view.cj_prob

    def factor(bounds: tuple[float, float] | None, neutral: float) -> Tensor:
        low, high = bounds or (neutral, neutral)
        drawn = low + (high - low) * torch.rand(batch)
        return torch.where(jittered, drawn, torch.full_like(drawn, neutral))

    jitter, (low, high) = view.jitter, view.blur.sigmas
    factors = [
        factor(jitter.brightness, 1.0),
        factor(jitter.contrast, 1.0),
        factor(jitter.saturation, 1.0),
        factor(jitter.hue, 0.0),
    ]
    blurred = torch.rand(batch) < view.blur.prob
    return (
        torch.stack(factors, dim=-1),
        torch.rand(batch) < view.random_gray_scale,
        (low + (high - low) * torch.rand(batch)) * blurred,
        torch.rand(batch) < view.solarize.prob,
    )


def apply_photometry_(images: Tensor, drawn: Photometry) -> Tensor:
    """Applies drawn colour changes in place.

    What has to be done is decided by the drawn values, which are on the CPU, so that
    the host never waits for the device.

    Args:
        images: Float ``[B, 1 or 3, ..., H, W]`` in [0, 1], which is changed.
        drawn: Changes of ``[B, ...]`` images; those of colour leave grey images alone.

    Returns:
        ``images``, in [0, 1].
    """
    is_gray = images.shape[1] == 1
    for step in drawn.order:
        factor, neutral = drawn.factors[..., step], float(step != _HUE)
        if (factor != neutral).any() and not (is_gray and step in (2, _HUE)):
            wide = to_device(factor, images.device)[:, None, ..., None, None]
            _ADJUST[step](images, wide)
    looks = images.movedim(1, -3)  # [B, ..., C, H, W]
    if not is_gray and drawn.gray.any():
        index = _positions(drawn.gray, images.device)
        looks[index] = _luma(looks[index].movedim(-3, 1)).movedim(1, -3)
    blurred = drawn.sigma > 0
    if blurred.any():
        index = _positions(blurred, images.device)
        looks[index] = _blur(looks[index], drawn.sigma[blurred], drawn.blur_radius)
    if drawn.solarized.any():
        index = _positions(drawn.solarized, images.device)
        chosen = looks[index]
        looks[index] = torch.where(chosen >= 128 / 255, 1 - chosen, chosen)
    return images


def to_device(tensor: Tensor, device: torch.device) -> Tensor:
    """Copies a small tensor from the CPU without waiting for what the GPU does."""
    if device.type != "cuda":
        return tensor.to(device)
    return tensor.pin_memory().to(device, non_blocking=True)


def _positions(mask: Tensor, device: torch.device) -> tuple[Tensor, ...]:
    return tuple(to_device(index, device) for index in mask.nonzero(as_tuple=True))


def _luma(images: Tensor) -> Tensor:
    """Brightness as the eye sees it: ``[B, 1, ...]`` of ``[B, 1 or 3, ...]``."""
    if images.shape[1] == 1:
        return images
    red, green, blue = torch.split(images, 1, dim=1)
    luma = red * _LUMA[0]
    return luma.add_(green, alpha=_LUMA[1]).add_(blue, alpha=_LUMA[2])


def _brightness_(images: Tensor, factor: Tensor) -> None:
    images.mul_(factor).clamp_(max=1)


def _contrast_(images: Tensor, factor: Tensor) -> None:
    mean = _luma(images.mean((-2, -1), keepdim=True))
    images.mul_(factor).add_((1 - factor) * mean).clamp_(0, 1)


def _saturation_(images: Tensor, factor: Tensor) -> None:
    gray = _luma(images).mul_(1 - factor)
    images.mul_(factor).add_(gray).clamp_(0, 1)


def _hue_(images: Tensor, shift: Tensor) -> None:
    """Turns the hue by ``shift`` circles and keeps value and chroma, as HSV does."""
    red, green, blue = torch.split(images, 1, dim=1)
    low = torch.minimum(torch.minimum(red, green), blue)
    high = torch.maximum(torch.maximum(red, green), blue)
    chroma = high - low
    # Six times the hue, times chroma: red at 0, green at 2, blue at 4. Masks as floats,
    # since torch.where takes six times as long as arithmetic on a CPU.
    hue = (red - green).add_(chroma, alpha=4)
    hue.lerp_((blue - red).add_(chroma, alpha=2), high.clone().eq_(green))
    hue.lerp_(green - blue, high.eq_(red))
    hue.div_(chroma.clamp(min=1e-12)).add_(6 * shift)
    hue.sub_((hue / 6).floor_(), alpha=6)
    # Each channel is a plateau of the circle with ramps on both sides.
    torch.addcmul(low, chroma, (hue - 3).abs_().sub_(1).clamp_(0, 1), out=red)
    for channel, center in ((green, 2), (blue, 4)):
        ramp = (hue - center).abs_().neg_().add_(2).clamp_(0, 1)
        torch.addcmul(low, chroma, ramp, out=channel)


_ADJUST = (_brightness_, _contrast_, _saturation_, _hue_)


def _blur(images: Tensor, sigma: Tensor, radius: int) -> Tensor:
    """Blurs ``[N, C, H, W]``, each image by its own standard deviation (CPU)."""
    size = 2 * min(radius, (min(images.shape[-2:]) - 1) // 2) + 1
    sigmas = to_device(sigma, images.device)[:, None].expand(-1, 2)
    blurred: Tensor = gaussian_blur2d(images, (size, size), sigmas)
    return blurred
