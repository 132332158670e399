"""What images may be: their kinds, and the numbers of their pixels."""

from __future__ import annotations

import torch
from jaxtyping import Float32, Shaped
from PIL import Image
from torch import Tensor
from torchvision.transforms.v2 import functional as TF

from contrawarp_edge.core.errors import InputError
from contrawarp_edge.inputs.images import to_rgb

_BEYOND = 0.25
"""How far resizing with overshoot takes a value beyond 0 or 1."""

_FULL = {torch.uint8: 255.0, torch.uint16: 65535.0}


def to_unit_range(
    images: Shaped[Tensor, "*b c h w"], check_values: bool = True
) -> Float32[Tensor, "*b c h w"]:
    """Pixels from 0 to 1.

    Args:
        images: uint8, uint16, whose full scale is 65535, or floating with values in
            [0, 1]; those slightly beyond, as resizing leaves them, are cut off.
        check_values: Whether to look at floating values; a GPU is waited for then.

    Raises:
        InputError: If they are of another type, or floating values are NaN or clearly
            outside of [0, 1].
    """
    if full := _FULL.get(images.dtype):
        return images.float() / full
    if not images.is_floating_point():
        raise InputError(
            f"images of {images.dtype} have no agreed range; convert them to uint8, or "
            "to floats in [0, 1]"
        )
    values = images.float()
    if check_values and values.numel():
        low, high = (float(bound) for bound in values.aminmax())
        if not (low >= -_BEYOND and high <= 1 + _BEYOND):  # NaN is neither
            raise InputError(
                f"floating images must be in [0, 1], got values from {low:g} to "
                f"{high:g}; divide by 255, or leave out an earlier normalisation"
            )
    return values.clamp(0, 1)


def decoded_side(input_size: int) -> int:
    """Height and width of decoded images: a margin keeps crops from being scaled up."""
    return round(input_size * 1.12)


def batch_of_one(
    image: Image.Image | Shaped[Tensor, "c h w"],
) -> Shaped[Tensor, "1 c h w"]:
    """An image as a batch.

    Args:
        image: PIL image of any mode, or tensor of 1 or 3 channels and any type.

    Returns:
        Its pixels; of a PIL image RGB, uint8.

    Raises:
        InputError: If a tensor has another shape.
    """
    if isinstance(image, Image.Image):
        pixels: Tensor = TF.pil_to_tensor(to_rgb(image))
        return pixels[None]
    if image.ndim != 3 or image.shape[0] not in (1, 3):
        raise InputError(
            f"a tensor image must be [1 or 3, H, W], got {list(image.shape)}"
        )
    return image[None]
