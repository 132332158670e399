"""Features of all images: pooled ones, and the embedding that would be exported."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from benchmarks.quality.images import Images
from lightly_contrawarp.evaluation.statistics.neighbours import unit_rows
from lightly_contrawarp.models.embedding.fitting import (
    MAX_IMAGES,
    moved_features,
    single_views,
)
from lightly_contrawarp.models.embedding.head import EmbeddingHead, Moved
from lightly_contrawarp.models.embedding.spatial import SpatialFeatures
from lightly_contrawarp.models.preprocessing import preprocess

Values = NDArray[np.float32]
"""Features ``[N, D]``, a row for each image."""

_BATCH = 512


@dataclass(frozen=True)
class Features:
    """What an encoder makes of one set of images.

    Attributes:
        pooled: Its output.
        spatial: Its last map on a grid, flattened.
    """

    pooled: Values
    spatial: Values


@torch.inference_mode()
def encode(backbone: nn.Module, images: Images, size: int) -> Features:
    """Encodes images without augmentation.

    Args:
        backbone: The encoder; it runs where it is, in evaluation mode from now on.
        images: The images, wherever they are.
        size: Side of the square that it takes, in pixels.
    """
    backbone.eval()
    device = next(backbone.parameters()).device
    network = SpatialFeatures(backbone, size)
    pooled: list[Values] = []
    spatial: list[Values] = []
    hook = backbone.register_forward_hook(
        lambda _, __, output: pooled.append(_rows(output))
    )
    try:
        for some in torch.split(images.pixels, _BATCH):
            pixels = some.to(device).expand(-1, 3, -1, -1)
            batch = preprocess(pixels, size).contiguous(
                memory_format=torch.channels_last
            )
            spatial.append(_rows(network(batch)))
    finally:
        hook.remove()
    return Features(np.concatenate(pooled), np.concatenate(spatial))


def embed(features: Mapping[str, Features], head: EmbeddingHead) -> dict[str, Values]:
    """The embedding of each set, at unit length, as an exported model gives it."""
    with torch.inference_mode():
        return {
            name: unit_rows(head(torch.from_numpy(one.spatial)).numpy())
            for name, one in features.items()
        }


def training_rows(spatial: Values) -> Values:
    """The rows that a head is fitted to: as many as an export takes."""
    places = np.linspace(0, len(spatial) - 1, _rows_of(len(spatial))).astype(np.int64)
    rows: Values = spatial[places]
    return rows


@torch.inference_mode()
def moved_rows(backbone: nn.Module, images: Images, size: int) -> Moved:
    """How actions move the features of the images that a head is fitted to.

    Args:
        backbone: The encoder, in evaluation mode.
        images: The training images, wherever they are.
        size: Side of the square that it takes, in pixels.
    """
    device = next(backbone.parameters()).device
    network = SpatialFeatures(backbone, size)
    pixels = images.spread(_rows_of(len(images.labels))).pixels
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(0)
        views = single_views(size)
        parts = [
            moved_features(network, views, some.to(device))
            for some in torch.split(pixels, _BATCH)
        ]
    return Moved(*map(np.concatenate, zip(*parts, strict=True)))


def _rows_of(count: int) -> int:
    return min(count, MAX_IMAGES)


def _rows(output: torch.Tensor) -> Values:
    rows: Values = output.flatten(1).float().cpu().numpy()
    return rows
