"""What tells encoders apart, whatever file they are in."""

from __future__ import annotations

import hashlib

import torch
from torch import nn


def fingerprint_of(module: nn.Module) -> str:
    """Hashes layers and weights: what an encoder computes before it is exported.

    Args:
        module: On any device; it stays as it is.

    Returns:
        64 hex digits, by which results of an evaluation name a checkpoint's encoder.
    """
    digest = hashlib.sha256(repr(module).encode())
    for key, value in sorted(module.state_dict().items()):
        digest.update(f"{key} {value.dtype} {tuple(value.shape)}".encode())
        if value.numel():  # empty ones have no stride to be seen as bytes by
            content = value.detach().cpu().contiguous().reshape(-1).view(torch.uint8)
            digest.update(content.numpy().tobytes())
    return digest.hexdigest()
