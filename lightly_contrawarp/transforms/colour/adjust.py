"""The colour changes of a batch, done as they were drawn."""

from __future__ import annotations

import torch
from jaxtyping import Float
from kornia.filters import get_gaussian_kernel1d
from torch import Tensor
from torch.nn import functional as F

from lightly_contrawarp.transforms.colour.photometry import (
    NEUTRAL,
    PhotometryParameters,
)

_LUMA = (0.299, 0.587, 0.114)
_COLOURS = (2, 3)  # steps that leave grey images alone: saturation and hue


def adjust_(
    images: Float[Tensor, "b c *v h w"], drawn: PhotometryParameters
) -> Float[Tensor, "b c *v h w"]:
    """Applies drawn colour changes in place.

    What has to be done is decided by the drawn values, which are on the CPU, so that
    the host never waits for the device.

    Args:
        images: Of 1 or 3 channels, in [0, 1]; they are changed.
        drawn: Changes of ``[b, *v]`` images; those of colour leave grey images alone.

    Returns:
        ``images``, in [0, 1].
    """
    is_gray = images.shape[1] == 1
    for step in drawn.order:
        factor = drawn.factors[..., step]
        if (factor != NEUTRAL[step]).any() and not (is_gray and step in _COLOURS):
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


def _luma(images: Float[Tensor, "b c *v h w"]) -> Float[Tensor, "b 1 *v h w"]:
    """Brightness as the eye sees it."""
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


def _blur(
    images: Float[Tensor, "n c h w"], sigma: Float[Tensor, " n"], radius: int
) -> Float[Tensor, "n c h w"]:
    """Blurs each image by its own standard deviation (CPU).

    As ``kornia.filters.gaussian_blur2d``, in half of the time, since all channels of
    all images go through one convolution in each direction; and no GPU is waited for.
    """
    count, channels = images.shape[:2]
    radius = min(radius, (min(images.shape[-2:]) - 1) // 2)
    kernel = get_gaussian_kernel1d(2 * radius + 1, sigma[:, None])
    kernel = to_device(kernel, images.device).repeat_interleave(channels, dim=0)
    planes = F.pad(images, [radius] * 4, mode="reflect").flatten(0, 1)[None]
    planes = F.conv2d(planes, kernel[:, None, :, None], groups=count * channels)
    planes = F.conv2d(planes, kernel[:, None, None, :], groups=count * channels)
    return planes[0].reshape(images.shape)
