"""Whether tensors hold numbers that are of use."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor


def all_finite(values: Iterable[Any]) -> bool:
    """Whether no floating-point tensor among them holds NaN or infinity.

    A GPU is waited for once.
    """
    checks = [
        value.isfinite().all()
        for value in values
        if isinstance(value, Tensor) and value.is_floating_point()
    ]
    devices = {check.device for check in checks}
    return all(
        bool(torch.stack([c for c in checks if c.device == device]).all())
        for device in devices
    )
