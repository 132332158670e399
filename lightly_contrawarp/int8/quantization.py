"""Static quantisation of an exported model to 8 bits, calibrated on images."""

from __future__ import annotations

import contextlib
import io
import logging
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
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

from contrawarp_edge.errors import InputError
from contrawarp_edge.fingerprint import graph_fingerprint
from contrawarp_edge.loading import load_files
from contrawarp_edge.model_file import INPUT_NAME, ModelInfo
from lightly_contrawarp.int8.sampling import MIN_IMAGES

Pixels = NDArray[np.uint8]

OP_TYPES = ("Conv", "Relu", "MaxPool", "Add", "Gemm", "MatMul")
"""Operations that onnxruntime computes in 8 bits on a CPU; all others stay fp32."""


def quantize(
    model: Path,
    info: ModelInfo,
    paths: Sequence[Path],
    *,
    on_progress: Callable[[int], None] = lambda done: None,
) -> tuple[bytes, ModelInfo, int]:
    """Quantises a model's encoder: QDQ format, weights per channel.

    Preprocessing, the first convolution and the L2 norm stay as they are. Weights get
    7 bits: with 8, sums of products overflow on processors without VNNI instructions,
    and embeddings would depend on where they are computed.

    Args:
        model: The ``.onnx`` file in fp32.
        info: What it says about itself.
        paths: Image files to take the ranges of activations from; those that cannot
            be read are passed over.
        on_progress: Called after each image with the number that have been read.

    Returns:
        A serialised model without metadata, the metadata that it should have, and the
        number of images that were read.

    Raises:
        InputError: If fewer than `MIN_IMAGES` can be read, or onnxruntime cannot
            quantise the network.
    """
    images = _Images(paths, on_progress)
    graph = onnx.load(model).graph
    with tempfile.TemporaryDirectory() as folder, _quiet():
        result = Path(folder) / "int8.onnx"
        quantize_static(
            model,
            result,
            images,
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=list(OP_TYPES),
            per_channel=True,
            reduce_range=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            nodes_to_exclude=kept_in_fp32(graph),
            calibrate_method=CalibrationMethod.MinMax,
        )
        quantized = onnx.load(result)
    if images.read < MIN_IMAGES:
        raise InputError(
            f"only {images.read} of {len(paths)} images to calibrate on can be read, "
            f"and {MIN_IMAGES} are needed"
        )
    quantized.ClearField("metadata_props")
    content = quantized.SerializeToString(deterministic=True)
    fingerprint = graph_fingerprint(content)
    return (
        content,
        replace(info, precision="int8", fingerprint=fingerprint),
        images.read,
    )


def kept_in_fp32(graph: onnx.GraphProto) -> list[str]:
    """Names of the nodes around the encoder, and of its first convolution.

    The first convolution reads three channels, which onnxruntime computes faster in
    floats, and rounding the pixels costs more neighbours than all the other layers.

    Raises:
        InputError: If there is no convolution or no L2 norm.
    """
    first = next((node for node in graph.node if node.op_type == "Conv"), None)
    norm = next((node for node in graph.node if node.op_type == "ReduceL2"), None)
    if first is None or norm is None:
        raise InputError("only networks with convolutions can be quantised to int8")
    before, after = {*first.input}, {*norm.output}
    for node in reversed(graph.node):  # they are sorted: inputs come first
        if before.intersection(node.output):
            before.update(node.input)
    for node in graph.node:
        if after.intersection(node.input):
            after.update(node.output)
    return [
        node.name
        for node in graph.node
        if node is first
        or before.intersection(node.output)
        or after.intersection(node.output)
    ]


class _Images(CalibrationDataReader):  # type: ignore[misc]
    """Decodes one image at a time, so that memory stays bounded."""

    def __init__(self, paths: Sequence[Path], on_progress: Callable[[int], None]):
        self.read = 0
        self._inputs = self._load(paths, on_progress)

    def get_next(self) -> dict[str, Pixels] | None:
        return next(self._inputs, None)

    def _load(
        self, paths: Iterable[Path], on_progress: Callable[[int], None]
    ) -> Iterator[dict[str, Pixels]]:
        for done, file in enumerate(load_files(paths, lambda path: None), start=1):
            if file.pixels is not None:
                self.read += 1
                yield {INPUT_NAME: file.pixels[None]}
            on_progress(done)


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
