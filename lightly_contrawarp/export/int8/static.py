"""Static quantisation of weights and activations to 8 bits, calibrated on images."""

from __future__ import annotations

import contextlib
import io
import logging
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnxruntime.quantization import (
    CalibrationDataReader,
    CalibrationMethod,
    QuantFormat,
    QuantType,
    quantize_static,
)

from contrawarp_edge.core.errors import NotApplicableError
from contrawarp_edge.inputs.images import read_rgb
from contrawarp_edge.inputs.loading import load_files
from contrawarp_edge.model.info import INPUT_NAME, ModelInfo
from lightly_contrawarp.export.int8.calibration import MIN_IMAGES
from lightly_contrawarp.export.int8.stored_weights import (
    linear_weights,
    store_as_integers,
)

Pixels = NDArray[np.uint8]

_FLOAT_CONVOLUTIONS = 2
"""How many convolutions stay in fp32, from the input on. They hold few weights; what
is rounded there spreads through all other layers."""

# Histograms of all activations of this many images are taken at a time.
_CHUNK = 4


@dataclass(frozen=True)
class Quantized:
    """An int8 model.

    Attributes:
        content: The serialised model, without metadata.
        info: The metadata that it should have.
        images: Number of images that it was calibrated on; 0 if only its weights are
            quantised.
        unreadable: A line for each image that was passed over.
    """

    content: bytes
    info: ModelInfo
    images: int
    unreadable: list[str]


def quantize(
    model: Path,
    info: ModelInfo,
    paths: Sequence[Path],
    *,
    on_progress: Callable[[int], None] = lambda done: None,
) -> Quantized:
    """Quantises the convolutions of a model: QDQ format, weights per channel.

    The first two convolutions and all that is no convolution are computed in fp32:
    preprocessing, additions, pooling, linear layers, the L2 norm. Of linear layers the
    weights are stored as integers. Weights get 7 bits. With 8, sums of
    products overflow on processors without VNNI instructions, and embeddings would
    depend on where they are computed.

    Args:
        model: The ``.onnx`` file in fp32.
        info: What it says about itself.
        paths: Image files to take the ranges of activations from; those that cannot
            be read are passed over.
        on_progress: Called with the number of images that are done.

    Raises:
        InputError: If fewer than `MIN_IMAGES` can be read, or there is no convolution
            to quantise.
    """
    proto = onnx.load(model)
    wanted = {node.name for node in convolutions_to_quantize(proto, info)}
    convolutions = {node.name for node in proto.graph.node if node.op_type == "Conv"}
    # Images are decoded again when it is their turn: photographs fill the memory.
    readable, unreadable = [], []
    for file in load_files(paths, None, lambda file: file):
        if file.problem:
            unreadable.append(f"{file.path}: {file.problem}")
        else:
            readable.append(file.path)
    if len(readable) < MIN_IMAGES:
        raise NotApplicableError(
            f"only {len(readable)} of {len(paths)} images to calibrate on can be read, "
            f"and {MIN_IMAGES} are needed; the first problem: "
            + (unreadable[0] if unreadable else "none")
        )
    readable = readable[: len(readable) - len(readable) % _CHUNK]
    with tempfile.TemporaryDirectory() as folder, _quiet():
        result = Path(folder) / "int8.onnx"
        quantize_static(
            model,
            result,
            _Images(readable, on_progress),
            quant_format=QuantFormat.QDQ,
            # A convolution absorbs the ReLU or ReLU6 after it.
            op_types_to_quantize=["Conv", "Relu", "Clip"],
            per_channel=True,
            reduce_range=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            nodes_to_exclude=sorted(convolutions - wanted),
            # Leaves out the 0.001 % of the values that are farthest off on each side.
            calibrate_method=CalibrationMethod.Percentile,
            extra_options={
                "CalibTensorRangeSymmetric": False,
                "CalibStridedMinMax": _CHUNK,
            },
        )
        quantized = onnx.load(result)
    store_as_integers(quantized.graph, linear_weights(quantized.graph))
    quantized.ClearField("metadata_props")
    content = quantized.SerializeToString(deterministic=True)
    metadata = replace(info, precision="int8").sealed(content)
    return Quantized(content, metadata, len(readable), unreadable)


def convolutions_to_quantize(
    model: onnx.ModelProto, info: ModelInfo
) -> list[onnx.NodeProto]:
    """All convolutions of a model but the first two, from the input on.

    Raises:
        InputError: If there are none.
    """
    convolutions = [node for node in model.graph.node if node.op_type == "Conv"]
    if len(convolutions) <= _FLOAT_CONVOLUTIONS:
        raise NotApplicableError(
            f"int8 needs a network of convolutions, and {info.backbone} is none"
        )
    return convolutions[_FLOAT_CONVOLUTIONS:]


class _Images(CalibrationDataReader):  # type: ignore[misc]
    """Reads images one at a time, as they are asked for."""

    def __init__(
        self, paths: Sequence[Path], on_progress: Callable[[int], None]
    ) -> None:
        self._paths = paths
        self._on_progress = on_progress
        self._next, self._end = 0, len(paths)

    def __len__(self) -> int:
        return len(self._paths)

    def set_range(self, start_index: int, end_index: int) -> None:
        """Chooses what the next calls of `get_next` give."""
        self._next, self._end = start_index, end_index

    def get_next(self) -> dict[str, Pixels] | None:
        """The next image as the model's input, or None at the end."""
        if self._next >= self._end:
            return None
        pixels = np.asarray(read_rgb(self._paths[self._next]))
        self._next += 1
        self._on_progress(self._next)
        return {INPUT_NAME: pixels[None]}


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Silences onnxruntime's advice, which is for those who call it by hand."""
    logger = logging.getLogger()
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            yield
    finally:
        logger.setLevel(level)
