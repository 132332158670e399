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
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional as F

from contrawarp_edge.core.errors import InputError
from contrawarp_edge.core.files import Stage, staged_files
from contrawarp_edge.model.embedder import Embedder
from contrawarp_edge.model.info import (
    INPUT_NAME,
    OUTPUT_NAME,
    SCORES_NAME,
    ModelInfo,
)
from lightly_contrawarp.models.checkpoint import BackboneInfo
from lightly_contrawarp.models.embedding.classifier import LinearClassifier
from lightly_contrawarp.models.embedding.network import EmbeddingNetwork
from lightly_contrawarp.models.preprocessing import preprocess

OPSET = 18
"""Lowest opset in which antialiased resizing exists."""

TOLERANCE = 1e-4
"""Largest difference of a coordinate of a unit embedding, or of a probability, that
parity allows."""


@dataclass(frozen=True)
class Labels:
    """What labelled images add to an exported network.

    Attributes:
        classifier: Gives the probabilities of classes.
        teacher: Maps the embedding at unit length to the one that is exported; None
            exports it as it is.
    """

    classifier: LinearClassifier
    teacher: nn.Linear | None = None


@dataclass(frozen=True)
class Parity:
    """Agreement of an exported file with the PyTorch encoder.

    Attributes:
        images: Number of images compared.
        max_difference: Largest absolute difference of a coordinate.
        min_cosine: Smallest cosine of two embeddings of one image.
        max_score_difference: Largest absolute difference of a probability; 0 without
            classes.
    """

    images: int
    max_difference: float
    min_cosine: float
    max_score_difference: float = 0.0


class EmbeddingModel(nn.Module):
    """Preprocessing, network and normalisation: what the exported file holds."""

    def __init__(
        self, network: nn.Module, input_size: int, labels: Labels | None = None
    ) -> None:
        super().__init__()
        # Files carry this name, and are fingerprinted with it.
        self.backbone = network
        self.input_size = input_size
        self.classifier = labels.classifier if labels else None
        self.teacher = labels.teacher if labels else None

    def forward(self, images: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        """Embeds images.

        Args:
            images: RGB, uint8 ``[N, H, W, 3]``.

        Returns:
            Float32 ``[N, D]`` of unit length; and with a classifier the probabilities,
            float32 ``[N, C]``.
        """
        pixels = preprocess(images.permute(0, 3, 1, 2), self.input_size)
        if self.classifier is None:
            return _unit(self.backbone(pixels))
        if isinstance(self.backbone, EmbeddingNetwork):
            output, pooled = self.backbone.with_pooled(pixels)
        else:
            output = pooled = self.backbone(pixels).flatten(1).float()
        unit = _unit(output)
        scores = self.classifier(pooled if self.classifier.reads_pooled else unit)
        return unit if self.teacher is None else _unit(self.teacher(unit)), scores


def export_onnx(
    network: nn.Module,
    info: BackboneInfo,
    path: Path,
    images: Sequence[Image.Image],
    labels: Labels | None = None,
) -> tuple[ModelInfo, Parity]:
    """Writes a network to ``path`` and checks it through ``contrawarp_edge``.

    Args:
        network: What `load_embedding` gives, in evaluation mode, on the CPU.
        info: What its checkpoint says about it, with its dimensions.
        path: The ``.onnx`` file to write, in one step.
        images: RGB images to compare the file with PyTorch on.
        labels: What labelled images add to it.

    Returns:
        The metadata that was written, and the agreement.

    Raises:
        InputError: If the file cannot be written, or its embeddings differ from
            PyTorch's by more than ``TOLERANCE``; an earlier file is left as it was.
    """
    with staged_files() as stage:
        embedder, parity = stage_onnx(network, info, path, images, stage, labels)
    return embedder.info, parity


def stage_onnx(
    network: nn.Module,
    info: BackboneInfo,
    path: Path,
    images: Sequence[Image.Image],
    stage: Stage,
    labels: Labels | None = None,
) -> tuple[Embedder, Parity]:
    """As :func:`export_onnx`, as one of several files that are to appear together.

    Args:
        network: What `load_embedding` gives, in evaluation mode, on the CPU.
        info: What its checkpoint says about it, with its dimensions.
        path: The ``.onnx`` file to write.
        images: RGB images to compare the file with PyTorch on.
        stage: Writes files; see `staged_files`.
        labels: What labelled images add to it.

    Returns:
        The file where it waits, opened, and the agreement.

    Raises:
        InputError: See :func:`export_onnx`.
    """
    model = EmbeddingModel(network, info.input_size, labels).eval()
    content = _to_onnx(model)
    metadata = ModelInfo(
        input_size=info.input_size,
        crop=info.crop,
        backbone=info.name,
        dim=labels.teacher.out_features if labels and labels.teacher else info.dim,
        package_version=info.package_version,
        precision="fp32",
        commercial_use=info.commercial_use,
        fingerprint="0" * 64,  # until it is sealed
        classes=labels.classifier.classes if labels else (),
    ).sealed(content)
    embedder = Embedder(stage(path, with_metadata(content, metadata)))
    parity = compare(model, embedder, images)
    for what, difference in (
        ("embeddings", parity.max_difference),
        ("scores", parity.max_score_difference),
    ):
        if not difference <= TOLERANCE:
            raise InputError(
                f"{path}: not written, because its {what} differ from PyTorch's "
                f"by {difference:.2e}, more than {TOLERANCE:.0e}"
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
    outputs = [_outputs(model(torch.from_numpy(np.array(i))[None])) for i in images]
    expected, *scores = map(np.concatenate, zip(*outputs, strict=True))
    actual = embedder.run(list(images))
    return Parity(
        images=len(images),
        max_difference=float(np.abs(actual.embeddings - expected).max()),
        min_cosine=float((actual.embeddings * expected).sum(1).min()),
        max_score_difference=float(np.abs(actual.scores - scores[0]).max())
        if scores
        else 0.0,
    )


def _outputs(output: Tensor | tuple[Tensor, Tensor]) -> list[NDArray[np.float32]]:
    several = output if isinstance(output, tuple) else (output,)
    return [one.numpy() for one in several]


def _unit(output: Tensor) -> Tensor:
    return F.normalize(output.flatten(1).float(), dim=1)


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
            output_names=[OUTPUT_NAME] + [SCORES_NAME] * bool(model.classifier),
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
