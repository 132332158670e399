"""Quantisation of an exported model's weights alone."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import onnx

from contrawarp_edge.model.info import ModelInfo
from lightly_contrawarp.export.int8.static import Quantized, convolutions_to_quantize
from lightly_contrawarp.export.int8.stored_weights import (
    linear_weights,
    store_as_integers,
)


def quantize_weights(model: Path, info: ModelInfo) -> Quantized:
    """Stores weights as 8-bit integers; computing stays in fp32.

    Those of linear layers and of the convolutions that `quantize` takes, per channel,
    with all 8 bits: in fp32 no sum overflows. No images are needed.

    Args:
        model: The ``.onnx`` file in fp32.
        info: What it says about itself.

    Raises:
        InputError: If there is no convolution to quantise.
    """
    proto = onnx.load(model)
    convolutions = {node.input[1] for node in convolutions_to_quantize(proto, info)}
    store_as_integers(proto.graph, convolutions | linear_weights(proto.graph))
    proto.ClearField("metadata_props")
    content = proto.SerializeToString(deterministic=True)
    metadata = replace(info, precision="int8").sealed(content)
    return Quantized(content, metadata, images=0, unreadable=[])
