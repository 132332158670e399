"""Fitting an embedding head to an encoder, on unlabelled images."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from jaxtyping import Float32, Shaped
from numpy.typing import NDArray
from torch import Tensor, nn

from contrawarp_edge.core.errors import NotApplicableError
from lightly_contrawarp.models.embedding.head import EmbeddingHead, Moved, fit_head
from lightly_contrawarp.models.embedding.spatial import SpatialFeatures, evaluating
from lightly_contrawarp.models.preprocessing import preprocess
from lightly_contrawarp.transforms.batch_transform import ContraWarpBatchTransform
from lightly_contrawarp.transforms.contrawarp_transform import ContraWarpTransform
from lightly_contrawarp.transforms.pairing import Pairing
from lightly_contrawarp.transforms.pixels import to_unit_range
from lightly_contrawarp.transforms.view_transform import ContraWarpViewTransform

_MILD: dict[str, Any] = {"min_scale": 0.8, "gaussian_blur": 0.0, "cj_strength": 0.5}
"""What views differ in whose features are subtracted."""

MAX_IMAGES = 20_000
"""Most images that a head is fitted to: more change it by little."""


def fit_embedding_head(
    backbone: nn.Module,
    batches: Iterable[Any],
    input_size: int,
    dim: int,
    *,
    on_progress: Callable[[int], None] = lambda done: None,
) -> EmbeddingHead:
    """Fits a head to the last feature map of an encoder.

    Principal components of the images' features, and beside them the directions along
    which facial actions move these, found by warping the images.

    Args:
        backbone: The encoder; it runs where it is, and stays as it is.
        batches: Images ``[b, 3, h, w]`` of any size, not augmented: ``uint8``, or
            floating from 0 to 1; or tuples or lists whose first item is such. At most
            `MAX_IMAGES` images are taken.
        input_size: Side of the images that the encoder takes, in pixels.
        dim: Components to keep; as many as the data have, if that is fewer.
        on_progress: Called after each batch with the number of images done so far.

    Returns:
        The head, on the CPU.

    Raises:
        InputError: If the encoder has no feature map of more than one cell, or the
            images are none, of another kind, or all alike.
    """
    spatial = SpatialFeatures(backbone, input_size)
    device = spatial.rows.device
    chunks: list[NDArray[np.float32]] = []
    moved: list[Moved] = []
    done = 0
    with torch.inference_mode(), evaluating(backbone), _same_draws():
        for batch in batches:
            images = batch if isinstance(batch, Tensor) else batch[0]
            pixels = _as_bytes(images[: MAX_IMAGES - done].to(device))
            features = spatial(preprocess(pixels, input_size)).flatten(1)
            chunks.append(features.cpu().numpy())
            moved.append(moved_features(spatial, pixels / 255, input_size))
            done += len(pixels)
            on_progress(done)
            if done >= MAX_IMAGES:
                break
    if done < 2:
        raise NotApplicableError("an embedding head takes two readable images at least")
    together = Moved(*map(np.concatenate, zip(*moved, strict=True)))
    return fit_head(np.concatenate(chunks), dim, moved=together)


def moved_features(
    spatial: SpatialFeatures, images: Shaped[Tensor, "b c h w"], input_size: int
) -> Moved:
    """Measures how actions move features.

    Each face is seen as it is and with two or three actions, in mild views of their
    own, so that what tells an action is not what a crop changes.

    Args:
        spatial: The features, in evaluation mode.
        images: Where these are; as for ``ContraWarpBatchTransform``.
        input_size: Side of the images that the encoder takes, in pixels.
    """
    view = ContraWarpViewTransform(input_size, **_MILD)
    transform = ContraWarpTransform(
        input_size,
        1,
        Pairing.SINGLE.value,
        view_1_transform=view,
        view_2_transform=view,
    )
    face, warped, actions = ContraWarpBatchTransform(transform)(images)
    differences = spatial(warped).flatten(1) - spatial(face).flatten(1)
    return Moved(differences.cpu().numpy(), actions[:, 0].cpu().numpy())


@contextmanager
def _same_draws() -> Iterator[None]:
    """Draws the same at each fit, and leaves torch's generator as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        yield


def _as_bytes(images: Shaped[Tensor, "b 3 h w"]) -> Float32[Tensor, "b 3 h w"]:
    """Pixels from 0 to 255, as `preprocess` takes them."""
    return to_unit_range(images) * 255
