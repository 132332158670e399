"""Weights that are stored as 8-bit integers while computing stays in fp32."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

_LARGEST = 127


def linear_weights(graph: onnx.GraphProto) -> set[str]:
    """Names of the weights of linear layers, ``(outputs, inputs)``."""
    return {
        node.input[1]
        for node in graph.node
        if node.op_type == "Gemm"
        and any(flag.name == "transB" and flag.i for flag in node.attribute)
    }


def store_as_integers(graph: onnx.GraphProto, names: Iterable[str]) -> None:
    """Replaces weights by integers and scales, and computes them from these.

    Args:
        graph: What holds them; it is changed.
        names: Weights with a scale for each entry of their first axis.
    """
    stored = {weight.name: weight for weight in graph.initializer}
    widening = []
    for name in sorted(stored.keys() & set(names)):
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
