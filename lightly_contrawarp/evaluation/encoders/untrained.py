"""Untrained encoders, to compare models with."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Literal, TypeAlias

import torch
from PIL import Image
from torch import nn

from contrawarp_edge.core.errors import InputError, NotApplicableError
from lightly_contrawarp.data.labelled import LabelledImages
from lightly_contrawarp.evaluation.encoders.encoders import EncoderInfo, TorchEncoder
from lightly_contrawarp.models.backbones import build_backbone
from lightly_contrawarp.models.checkpoint import CUSTOM
from lightly_contrawarp.models.embedding.head import EmbeddingHead
from lightly_contrawarp.training.head import fit_to_images
from lightly_contrawarp.training.resources import explained_resources

FeatureKind: TypeAlias = Literal["exported", "pooled", "spatial"]
"""What is taken of a checkpoint; see `load_encoder`."""


def random_encoder(
    like: EncoderInfo,
    *,
    seed: int,
    features: FeatureKind,
    device: str,
    fit: Callable[[nn.Module, int], EmbeddingHead | None] | None = None,
) -> TorchEncoder:
    """An encoder with the same architecture and fresh weights.

    Args:
        like: What to be like in network and input size.
        seed: Of the weights.
        features: Without a head, pooled ones stand for ``exported``.
        device: Where it runs.
        fit: Fits a head to a module on its device and an input size, if it can.

    Raises:
        InputError: If the network cannot be built by name.
    """
    if like.backbone == CUSTOM:
        raise NotApplicableError(
            f"{like.source}: is a network of your own, which cannot be built afresh "
            "by its name; leave out --random-init"
        )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        module, _ = build_backbone(like.backbone)
    head = fit(module.to(device), like.input_size) if fit else None
    source = f"random initialisation, seed {seed}"
    if head is not None:
        source += "; head fitted to the training images of the set, without labels"
    return TorchEncoder(
        module,
        like.input_size,
        device=device,
        features="spatial" if features == "spatial" else "pooled",
        head=head,
        backbone=like.backbone,
        source=source,
        kind="random",
        commercial_use="yes",
    )


def fit_to_labelled(
    backbone: nn.Module,
    input_size: int,
    *,
    images: LabelledImages,
    dim: int,
    batch_size: int,
    workers: int,
) -> EmbeddingHead | None:
    """Fits a head to the images of a labelled set, as pre-training does to its own.

    Args:
        backbone: The encoder; it runs where it is.
        input_size: Side of the images that it takes, in pixels.
        images: The set, without a transform; its labels are not used.
        dim: Components to keep.
        batch_size: Images at a time.
        workers: Processes that decode.

    Returns:
        The head, or None if there can be none, as for an encoder without feature map.
    """
    try:
        with explained_resources("lower --batch-size, or take a smaller model"):
            return fit_to_images(
                backbone,
                input_size,
                partial(_read, images),
                len(images),
                dim,
                batch_size=batch_size,
                workers=workers,
            )
    except NotApplicableError:
        return None


def _read(images: LabelledImages, place: int) -> Image.Image | None:
    try:
        image: Image.Image = images[place][0]
    except InputError:
        return None
    return image
