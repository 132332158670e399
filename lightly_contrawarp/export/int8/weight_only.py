"""Quantisation of an exported model's weights alone."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from contrawarp_edge.model.info import ModelInfo
from lightly_contrawarp.export.int8.static import Quantized, convolutions_to_quantize

_LARGEST = 127


def quantize_weights(model: Path, info: ModelInfo) -> Quantized:
    """Stores the weights of convolutions as 8-bit integers; computing stays in fp32.

    The same convolutions are quantised as by `quantize`, per channel, with all 8 bits:
    in fp32 no sum overflows. No images are needed.

    Args:
        model: The ``.onnx`` file in fp32.
        info: What it says about itself.

    Raises:
        InputError: If there is no convolution to quantise.
    """
    proto = onnx.load(model)
    graph = proto.graph
    stored = {weight.name: weight for weight in graph.initializer}
    # By name: what is shared between convolutions is stored once.
    names = {node.input[1] for node in convolutions_to_quantize(proto, info)}
    widening = []
    for name in sorted(names & stored.keys()):
        integers, scales = to_integers(numpy_helper.to_array(stored[name]))
        small, scale, wide = (f"{name}_{what}" for what in ("int8", "scale", "wide"))
        stored[name].CopyFrom(numpy_helper.from_array(integers, small))
        graph.initializer.append(numpy_helper.from_array(scales, scale))
        # Every onnxruntime computes this once, when it loads the model.
        # DequantizeLinear it would compute again at each call.
        widening += [
            helper.make_node("Cast", [small], [wide], wide, to=TensorProto.FLOAT),
            helper.make_node("Mul", [wide, scale], [name], f"{name}_scaled"),
        ]
    nodes = [*widening, *graph.node]
    graph.ClearField("node")
    graph.node.extend(nodes)
    proto.ClearField("metadata_props")
    content = proto.SerializeToString(deterministic=True)
    metadata = replace(info, precision="int8").sealed(content)
    return Quantized(content, metadata, images=0, unreadable=[])


def to_integers(
    weights: NDArray[np.float32],
) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """Rounds weights to integers from -127 to 127 with a scale for each channel.

    Args:
        weights: ``(channels, ...)``.

    Returns:
        The integers, of the same shape, and scales of shape ``(channels, 1, ...)``;
        their product is off by half a scale at most.
    """
    axes = tuple(range(1, weights.ndim))
    scales = np.abs(weights).max(axis=axes, keepdims=True) / np.float32(_LARGEST)
    scales[scales == 0] = 1
    return np.rint(weights / scales).astype(np.int8), scales
