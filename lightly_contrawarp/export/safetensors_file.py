"""The encoder alone as a ``.safetensors`` file, to fine-tune it elsewhere."""

from __future__ import annotations

import json

from safetensors.torch import save
from torch import nn

from lightly_contrawarp.models.checkpoint import BackboneInfo
from lightly_contrawarp.models.fingerprint import fingerprint_of
from lightly_contrawarp.models.preprocessing import PREPROCESSING


def to_safetensors(backbone: nn.Module, info: BackboneInfo) -> bytes:
    """Serialises the weights of an encoder under torchvision's names.

    ``model.load_state_dict(safetensors.torch.load_file(path), strict=False)`` fills a
    torchvision model of the same name; only its head is left as it was.

    Args:
        backbone: The encoder.
        info: What its checkpoint says about it.

    Returns:
        The content of the file. Its metadata hold what ``info`` says, the
        preprocessing, and the fingerprint that ``contrawarp evaluate`` gives the
        checkpoint; all values are strings.
    """
    # Shapes are kept as they are; strides (channels last) are not part of the format.
    weights = {key: value.contiguous() for key, value in backbone.state_dict().items()}
    return save(
        weights,
        metadata={
            "format": "pt",
            "backbone": info.name,
            "dim": str(info.dim),
            "input_size": str(info.input_size),
            "crop": json.dumps(info.crop, sort_keys=True),
            "preprocessing": PREPROCESSING,
            "commercial_use": info.commercial_use,
            "training_images": info.training_images,
            "package_version": info.package_version,
            "fingerprint": fingerprint_of(backbone),
        },
    )
