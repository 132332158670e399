"""What can be evaluated: a checkpoint, a module, or an exported ``.onnx`` file."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal, TypeAlias

import numpy as np
import torch
from jaxtyping import Float32, Shaped
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn

from contrawarp_edge import Embedder
from contrawarp_edge.inputs.loading import to_pixels
from contrawarp_edge.model.embedder import Outputs
from lightly_contrawarp.models.checkpoint import CUSTOM
from lightly_contrawarp.models.embedding.head import EmbeddingHead
from lightly_contrawarp.models.embedding.network import EmbeddingNetwork
from lightly_contrawarp.models.embedding.spatial import SpatialFeatures, evaluating
from lightly_contrawarp.models.fingerprint import fingerprint_of
from lightly_contrawarp.models.preprocessing import PREPROCESSING, to_batch

FeatureKind = Literal["pooled", "spatial"]


@dataclass(frozen=True)
class EncoderInfo:
    """The facts about an encoder that go into results.

    Attributes:
        source: The file, or where else the weights come from.
        kind: ``checkpoint``, ``random``, ``module`` or ``onnx``.
        backbone: Name of the network.
        input_size: Side in pixels of the square that images are resized to.
        features: ``pooled``, ``spatial`` with the number of cells, ``embedding`` with
            what it is made of, or ``embedding`` for an exported model.
        unit_length: Whether the features have length 1. Cosines are the same either
            way, and the probes standardise.
        precision: Number format of the weights.
        device: Where it runs.
        preprocessing: How images are resized and normalised.
        commercial_use: What the licence of the training images allows.
        fingerprint: SHA-256 of what it computes, 64 hex digits.
        classes: Names of the classes that an exported model recognises.
    """

    source: str
    kind: str
    backbone: str
    input_size: int
    features: str
    unit_length: bool
    precision: str
    device: str
    preprocessing: str
    commercial_use: str
    fingerprint: str
    classes: tuple[str, ...] = ()


class TorchEncoder:
    """A PyTorch module as an encoder.

    Args:
        module: Takes normalised float32 images ``[n, 3, s, s]`` and returns ``[n, d]``
            or ``[n, d, 1, 1]``. It is moved to ``device``, and put in evaluation mode
            only while it embeds.
        input_size: Side of the images, ``s``, in pixels.
        device: Where it runs.
        features: ``pooled``, what the module returns, or ``spatial``; see
            `SpatialFeatures`.
        head: Makes an embedding of the spatial features; see `EmbeddingNetwork`.
        backbone: Name of the network.
        source: Where the weights come from.
        kind: See `EncoderInfo`.
        commercial_use: See `EncoderInfo`.

    Attributes:
        module: The module as it was given.
        embedding_dim: Dimensions of the head; None without one.
        prepare: Turns N RGB images into a batch; can be sent to another process.

    Raises:
        InputError: If spatial features or a head are wanted and it has no feature map,
            or the head does not fit.
    """

    def __init__(
        self,
        module: nn.Module,
        input_size: int,
        *,
        device: str = "cpu",
        features: FeatureKind = "pooled",
        head: EmbeddingHead | None = None,
        backbone: str = CUSTOM,
        source: str = "module",
        kind: str = "module",
        commercial_use: str = "unknown",
    ) -> None:
        self.module = module.to(device)
        self.embedding_dim = None if head is None else head.dim
        self._device = device
        self._facts: dict[str, Any] = {
            "source": source,
            "kind": kind,
            "backbone": backbone,
            "input_size": input_size,
            "features": features,
            "commercial_use": commercial_use,
        }
        self._network: nn.Module = self.module
        if head is not None:
            self._network = EmbeddingNetwork(self.module, input_size, head.to(device))
            cells = self._network.features.cells
            self._facts["features"] = "embedding, {} x {} cells".format(*cells)
        elif features == "spatial":
            self._network = spatial = SpatialFeatures(self.module, input_size)
            self._facts["features"] = "spatial, {} x {} cells".format(*spatial.cells)
        self.prepare = partial(to_batch, input_size=input_size)

    @property
    def info(self) -> EncoderInfo:
        """What is known about the encoder, with a fingerprint of its present state."""
        return EncoderInfo(
            **self._facts,
            unit_length=False,
            precision="fp32",
            device=self._device,
            preprocessing=PREPROCESSING,
            fingerprint=fingerprint_of(self._network),
        )

    def embed(
        self, batch: Float32[Tensor, "n 3 s s"]
    ) -> Shaped[NDArray[np.float32], "n d"]:
        """Embeds a batch.

        Args:
            batch: What ``prepare`` returned.

        Returns:
            Features of the images.
        """
        with torch.inference_mode(), evaluating(self._network):
            output: Tensor = self._network(batch.to(self._device))
        return output.flatten(1).float().cpu().numpy()

    def trainable(self) -> nn.Module:
        """A copy of the module, to be fine-tuned."""
        return copy.deepcopy(self.module).requires_grad_(True)


class OnnxEncoder:
    """An exported model as an encoder; it runs on the CPU.

    Args:
        path: The ``.onnx`` file of ``contrawarp-export``.

    Attributes:
        embedding_dim: Dimensions of its embedding.
        prepare: Turns RGB images into pixels; can be sent to another process.

    Raises:
        InputError: If it is no such file.
    """

    def __init__(self, path: Path) -> None:
        self._embedder = Embedder(path)
        self.embedding_dim = self._embedder.info.dim
        self.prepare = _to_pixels

    @property
    def info(self) -> EncoderInfo:
        """What the file says about itself."""
        model = self._embedder.info
        return EncoderInfo(
            source=str(self._embedder.path),
            kind="onnx",
            backbone=model.backbone,
            input_size=model.input_size,
            features="embedding",
            unit_length=True,
            precision=model.precision,
            device="cpu",
            preprocessing="inside the model",
            commercial_use=model.commercial_use,
            fingerprint=model.fingerprint,
            classes=model.classes,
        )

    def embed(
        self, batch: list[Shaped[NDArray[np.uint8], "h w 3"]]
    ) -> Shaped[NDArray[np.float32], "n d"]:
        """Embeds a batch.

        Args:
            batch: What ``prepare`` returned.

        Returns:
            Embeddings of the images, of unit length.

        Raises:
            InputError: If the model cannot be run.
        """
        return self.run(batch).embeddings

    def run(self, batch: list[Shaped[NDArray[np.uint8], "h w 3"]]) -> Outputs:
        """Embeds a batch, see `embed`, and gives the probabilities of classes."""
        return self._embedder.run(batch)


Encoder: TypeAlias = TorchEncoder | OnnxEncoder
"""Turns images into features in two steps, so that workers can do the first."""


def _to_pixels(images: list[Image.Image]) -> list[Shaped[NDArray[np.uint8], "h w 3"]]:
    return [to_pixels(image) for image in images]
