"""What numbers the pixels of a tensor may be."""

from __future__ import annotations

import torch
from torch import Tensor

from contrawarp_edge.core.errors import InputError

_BEYOND = 0.25
"""How far resizing with overshoot takes a value beyond 0 or 1."""

_FULL = {torch.uint8: 255.0, torch.uint16: 65535.0}


def to_unit_range(images: Tensor, check_values: bool = True) -> Tensor:
    """Pixels as float32 from 0 to 1.

    Args:
        images: uint8, uint16, whose full scale is 65535, or floating with values in
            [0, 1]; those slightly beyond, as resizing leaves them, are cut off.
        check_values: Whether to look at floating values; a GPU is waited for then.

    Returns:
        float32 of the same shape.

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
