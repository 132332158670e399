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

from contrawarp_edge.core.errors import InputError, NotApplicableError
from lightly_contrawarp.models.embedding.head import (
    MOST_EXACT,
    EmbeddingHead,
    Moved,
    fit_head,
)
from lightly_contrawarp.models.embedding.spatial import SpatialFeatures, evaluating
from lightly_contrawarp.models.preprocessing import preprocess
from lightly_contrawarp.transforms.batch_items import FaceItem
from lightly_contrawarp.transforms.batch_transform import ContraWarpBatchTransform
from lightly_contrawarp.transforms.colour.pixels import to_unit_range
from lightly_contrawarp.transforms.contrawarp_transform import ContraWarpTransform
from lightly_contrawarp.transforms.pairing import Pairing
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
            floating from 0 to 1; or tuples or lists whose first item is such, of a
            ``FaceItem`` with its landmarks. At most `MAX_IMAGES` images are taken. In
            random order, if the encoder has a map of more than `MOST_EXACT` features:
            actions are measured on the first ones then.
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
    views = single_views(input_size)
    device = spatial.rows.device
    chunks: list[NDArray[np.float32]] = []
    moved: list[Moved] = []
    done = 0
    with torch.inference_mode(), evaluating(backbone), _same_draws():
        for batch in batches:
            images = batch if isinstance(batch, Tensor) else batch[0]
            _check_images(images)
            images = to_unit_range(images[: MAX_IMAGES - done].to(device))
            features = spatial(preprocess(images * 255, input_size)).flatten(1)
            chunks.append(features.cpu().numpy())
            if spatial.dim <= MOST_EXACT or done < MOST_EXACT:
                points = None
                if isinstance(batch, FaceItem):
                    points = batch.landmarks[: len(images)]
                moved.append(moved_features(spatial, views, images, points))
            done += len(images)
            on_progress(done)
            if done >= MAX_IMAGES:
                break
    if done < 2:
        raise NotApplicableError("an embedding head takes two readable images at least")
    together = Moved(*map(np.concatenate, zip(*moved, strict=True)))
    return fit_head(np.concatenate(chunks), dim, moved=together)


def single_views(input_size: int) -> ContraWarpBatchTransform:
    """Makes a view of each face as it is, and one with two or three actions.

    They are mild, so that what tells an action is not what a crop changes.
    """
    view = ContraWarpViewTransform(input_size, **_MILD)
    transform = ContraWarpTransform(
        input_size,
        1,
        Pairing.SINGLE.value,
        view_1_transform=view,
        view_2_transform=view,
    )
    return ContraWarpBatchTransform(transform)


def moved_features(
    spatial: SpatialFeatures,
    views: ContraWarpBatchTransform,
    images: Shaped[Tensor, "b c h w"],
    landmarks: Float32[Tensor, "b p 2"] | None = None,
) -> Moved:
    """Measures how actions move features.

    Args:
        spatial: The features, in evaluation mode.
        views: What `single_views` makes, for the size that the encoder takes.
        images: Where the encoder is; as for ``ContraWarpBatchTransform``.
        landmarks: Where the features of each face are; the contract's by default.
    """
    face, warped, actions = views(images, landmarks)
    differences = spatial(warped).flatten(1) - spatial(face).flatten(1)
    return Moved(differences.cpu().numpy(), actions[:, 0].cpu().numpy())


@contextmanager
def _same_draws() -> Iterator[None]:
    """Draws the same at each fit, and leaves torch's generator as it was."""
    with torch.random.fork_rng(devices=[]):
        # Not torch.manual_seed, which would seed every GPU too.
        torch.default_generator.manual_seed(0)
        yield


def _check_images(images: Any) -> None:
    is_tensor = isinstance(images, Tensor)
    if not is_tensor or images.ndim != 4 or images.shape[1] != 3 or not len(images):
        found = list(images.shape) if is_tensor else type(images).__name__
        raise InputError(
            f"images must be [B, 3, H, W], not augmented, B at least 1; got {found}"
        )
