"""From 8-bit pixels to what an encoder reads: the one definition for every use."""

from __future__ import annotations

import torch
from jaxtyping import Float32, Shaped
from lightly.transforms.utils import IMAGENET_NORMALIZE
from PIL import Image
from torch import Tensor
from torch.nn import functional as F
from torchvision.transforms.functional import pil_to_tensor

PREPROCESSING = "bilinear, antialiased; ImageNet mean and standard deviation"
"""What `preprocess` does, in words; features are cached under it."""


def preprocess(
    images: Shaped[Tensor, "n 3 h w"], input_size: int
) -> Float32[Tensor, "n 3 s s"]:
    """Resizes and normalises images as the exported model does.

    Only traceable torch operations are used, so that the same function is part of
    the exported graph.

    Args:
        images: RGB, values from 0 to 255, ``uint8`` or float.
        input_size: Side of the square that the encoder takes, in pixels. The whole
            image is resized to it, whatever its shape.

    Returns:
        Images of ``input_size`` a side, normalised with the mean and standard
        deviation of ImageNet.
    """
    resized = F.interpolate(
        images.float(),
        size=(input_size, input_size),
        mode="bilinear",
        antialias=True,
        align_corners=False,
    )
    mean, std = (
        torch.tensor(IMAGENET_NORMALIZE[key], device=images.device).view(1, 3, 1, 1)
        for key in ("mean", "std")
    )
    return (resized / 255.0 - mean) / std


def to_batch(images: list[Image.Image], input_size: int) -> Float32[Tensor, "n 3 s s"]:
    """Preprocesses images of any size to one batch; see `preprocess`.

    Args:
        images: RGB images.
        input_size: Side of the square in pixels.
    """
    return torch.cat(
        [preprocess(pil_to_tensor(image).unsqueeze(0), input_size) for image in images]
    )
