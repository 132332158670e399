"""The weights as a ``.safetensors`` file, to fine-tune the encoder elsewhere."""

from __future__ import annotations

import json

from safetensors.torch import save
from torch import nn

from lightly_contrawarp.models.checkpoint import BackboneInfo
from lightly_contrawarp.models.embedding.network import EmbeddingNetwork
from lightly_contrawarp.models.fingerprint import fingerprint_of
from lightly_contrawarp.models.preprocessing import PREPROCESSING


def to_safetensors(network: nn.Module, info: BackboneInfo) -> bytes:
    """Serialises the weights of an encoder under torchvision's names.

    ``model.load_state_dict(safetensors.torch.load_file(path), strict=False)`` fills a
    torchvision model of the same name; only its classifier is left as it was. An
    embedding head lies beside them under ``head.``, which that passes over.

    Args:
        network: What `load_embedding` gives.
        info: What its checkpoint says about it, with its dimensions.

    Returns:
        The content of the file. Its metadata hold what ``info`` says, the
        preprocessing, and the fingerprint that ``contrawarp evaluate`` gives the
        checkpoint; all values are strings.
    """
    # Shapes are kept as they are; strides (channels last) are not part of the format.
    backbone, head = network, {}
    if isinstance(network, EmbeddingNetwork):
        backbone, head = network.backbone, network.head.state_dict(prefix="head.")
    weights = {
        key: value.contiguous() for key, value in (backbone.state_dict() | head).items()
    }
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
            "fingerprint": fingerprint_of(network),
        },
    )
