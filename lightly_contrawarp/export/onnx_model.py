"""A checkpoint's embedding as one ``.onnx`` file that needs no preprocessing code."""

from __future__ import annotations

import contextlib
import io
import logging
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional as F

from contrawarp_edge.core.errors import InputError
from contrawarp_edge.core.files import Stage, staged_files
from contrawarp_edge.model.embedder import Embedder
from contrawarp_edge.model.info import INPUT_NAME, OUTPUT_NAME, ModelInfo
from lightly_contrawarp.models.checkpoint import BackboneInfo
from lightly_contrawarp.models.preprocessing import preprocess

OPSET = 18
"""Lowest opset in which antialiased resizing exists."""

TOLERANCE = 1e-4
"""Largest difference of a coordinate of a unit embedding that parity allows."""


@dataclass(frozen=True)
class Parity:
    """Agreement of an exported file with the PyTorch encoder.

    Attributes:
        images: Number of images compared.
        max_difference: Largest absolute difference of a coordinate.
        min_cosine: Smallest cosine of two embeddings of one image.
    """

    images: int
    max_difference: float
    min_cosine: float


class EmbeddingModel(nn.Module):
    """Preprocessing, network and normalisation: what the exported file holds."""

    def __init__(self, network: nn.Module, input_size: int) -> None:
        super().__init__()
        # Files carry this name, and are fingerprinted with it.
        self.backbone = network
        self.input_size = input_size

    def forward(self, images: Tensor) -> Tensor:
        """Embeds images.

        Args:
            images: RGB, uint8 ``[N, H, W, 3]``.

        Returns:
            Float32 ``[N, D]`` of unit length.
        """
        pixels = preprocess(images.permute(0, 3, 1, 2), self.input_size)
        return F.normalize(self.backbone(pixels).flatten(1).float(), dim=1)


def export_onnx(
    network: nn.Module,
    info: BackboneInfo,
    path: Path,
    images: Sequence[Image.Image],
) -> tuple[ModelInfo, Parity]:
    """Writes a network to ``path`` and checks it through ``contrawarp_edge``.

    Args:
        network: What `load_embedding` gives, in evaluation mode, on the CPU.
        info: What its checkpoint says about it, with its dimensions.
        path: The ``.onnx`` file to write, in one step.
        images: RGB images to compare the file with PyTorch on.

    Returns:
        The metadata that was written, and the agreement.

    Raises:
        InputError: If the file cannot be written, or its embeddings differ from
            PyTorch's by more than ``TOLERANCE``; an earlier file is left as it was.
    """
    with staged_files() as stage:
        embedder, parity = stage_onnx(network, info, path, images, stage)
    return embedder.info, parity


def stage_onnx(
    network: nn.Module,
    info: BackboneInfo,
    path: Path,
    images: Sequence[Image.Image],
    stage: Stage,
) -> tuple[Embedder, Parity]:
    """As :func:`export_onnx`, as one of several files that are to appear together.

    Args:
        network: What `load_embedding` gives, in evaluation mode, on the CPU.
        info: What its checkpoint says about it, with its dimensions.
        path: The ``.onnx`` file to write.
        images: RGB images to compare the file with PyTorch on.
        stage: Writes files; see `staged_files`.

    Returns:
        The file where it waits, opened, and the agreement.

    Raises:
        InputError: See :func:`export_onnx`.
    """
    model = EmbeddingModel(network, info.input_size).eval()
    content = _to_onnx(model)
    metadata = ModelInfo(
        input_size=info.input_size,
        crop=info.crop,
        backbone=info.name,
        dim=info.dim,
        package_version=info.package_version,
        precision="fp32",
        commercial_use=info.commercial_use,
        fingerprint="0" * 64,  # until it is sealed
    ).sealed(content)
    embedder = Embedder(stage(path, with_metadata(content, metadata)))
    parity = compare(model, embedder, images)
    if not parity.max_difference <= TOLERANCE:
        raise InputError(
            f"{path}: not written, because its embeddings differ from PyTorch's "
            f"by {parity.max_difference:.2e}, more than {TOLERANCE:.0e}"
        )
    return embedder, parity


def with_metadata(content: bytes, info: ModelInfo) -> bytes:
    """Adds the contract's metadata to a serialised model that has none."""
    # Serialised messages may be joined, so the graph stays as it was hashed.
    tail = onnx.ModelProto()
    onnx.helper.set_model_props(tail, info.to_metadata())
    return content + bytes(tail.SerializeToString())


@torch.inference_mode()
def compare(
    model: nn.Module, embedder: Embedder, images: Sequence[Image.Image]
) -> Parity:
    """Embeds images with PyTorch and with the exported file."""
    expected = np.concatenate(
        [model(torch.from_numpy(np.array(image))[None]).numpy() for image in images]
    )
    actual = embedder.embed(list(images))
    return Parity(
        images=len(images),
        max_difference=float(np.abs(actual - expected).max()),
        min_cosine=float((actual * expected).sum(1).min()),
    )


def _to_onnx(model: EmbeddingModel) -> bytes:
    """Exports with dynamic batch, height and width; returns a serialised model."""
    example = torch.randint(0, 256, (2, 96, 80, 3), dtype=torch.uint8)
    auto = torch.export.Dim.DYNAMIC
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            model,
            (example,),
            dynamo=True,
            opset_version=OPSET,
            input_names=[INPUT_NAME],
            output_names=[OUTPUT_NAME],
            dynamic_shapes={"images": {0: auto, 1: auto, 2: auto}},
            verbose=False,
        )
    assert program is not None  # it is one whenever dynamo=True
    proto = program.model_proto
    _forget_origin(proto)
    _renormalise_at_the_rim(proto)
    onnx.checker.check_model(proto)
    return bytes(proto.SerializeToString(deterministic=True))


def _forget_origin(proto: onnx.ModelProto) -> None:
    """Removes source paths and stack traces, which differ between machines."""
    proto.doc_string = ""
    proto.ClearField("metadata_props")
    proto.graph.ClearField("metadata_props")
    proto.graph.doc_string = ""
    for part in (*proto.graph.node, *proto.graph.value_info, *proto.graph.initializer):
        part.ClearField("metadata_props")
        part.doc_string = ""
    for value in (*proto.graph.input, *proto.graph.output):
        value.ClearField("metadata_props")


def _renormalise_at_the_rim(proto: onnx.ModelProto) -> None:
    """Makes resizing weigh the pixels at the rim as PyTorch does.

    The exporter of earlier PyTorch versions (2.11 still) does not say that weights
    beyond the image are left out, which changes embeddings by 1e-4.
    """
    for node in proto.graph.node:
        for attribute in node.attribute:
            if node.op_type == "Resize" and attribute.name == "exclude_outside":
                attribute.i = 1
