"""Opening what is to be evaluated: model files, and untrained encoders beside them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal, TypeAlias

import torch

from contrawarp_edge.core.errors import InputError, NotApplicableError
from lightly_contrawarp.evaluation.encoders.encoders import (
    Encoder,
    EncoderInfo,
    OnnxEncoder,
    TorchEncoder,
)
from lightly_contrawarp.models.backbones import build_backbone
from lightly_contrawarp.models.checkpoint import load_backbone, load_embedding
from lightly_contrawarp.models.embedding.network import EmbeddingNetwork

FeatureKind: TypeAlias = Literal["exported", "pooled", "spatial"]
"""What is taken of a checkpoint; see `load_encoder`."""


def open_encoders(
    paths: Sequence[Path],
    *,
    random_init: bool = False,
    features: FeatureKind = "exported",
    device: str = "auto",
    seed: int = 0,
) -> dict[str, Encoder]:
    """Opens model files, and untrained encoders to compare them with.

    Args:
        paths: See `load_encoder`.
        random_init: Whether to add, for each architecture and input size, an encoder
            with fresh weights.
        features: See `load_encoder`, and `random_encoder`.
        device: See `resolve_device`.
        seed: Of the fresh weights.

    Returns:
        The encoders, by the shortest name that tells them apart.

    Raises:
        InputError: If a file cannot be used, or is given twice.
    """
    if len(set(paths)) < len(paths):
        raise InputError("the same model is given twice")
    device = resolve_device(device)
    short = len({path.name for path in paths}) == len(paths)
    encoders: dict[str, Encoder] = {
        path.name if short else str(path): load_encoder(
            path, features=features, device=device
        )
        for path in paths
    }
    if random_init:
        kinds = {(e.info.backbone, e.info.input_size): e for e in encoders.values()}
        for (backbone, size), like in kinds.items():
            several = sum(name == backbone for name, _ in kinds) > 1
            name = (
                f"{backbone}, {size} px, random" if several else f"{backbone}, random"
            )
            encoders[name] = random_encoder(
                like.info, seed=seed, features=features, device=device
            )
    return encoders


def resolve_device(name: str) -> str:
    """The torch device that a name stands for.

    Args:
        name: ``cpu``, ``cuda``, ``mps``, or ``auto`` for the fastest there is.

    Raises:
        InputError: If this machine has no such device.
    """
    usable = {
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
        "cpu": True,
    }
    if name == "auto":
        return next(device for device, is_usable in usable.items() if is_usable)
    if not usable[name]:
        raise InputError(f"device {name}: not available here; use cpu instead")
    return name


def load_encoder(
    path: Path, *, features: FeatureKind = "exported", device: str = "cpu"
) -> Encoder:
    """Opens a model file.

    Args:
        path: A checkpoint of ``contrawarp pretrain``, or an ``.onnx`` file of
            ``contrawarp-export``.
        features: Of a checkpoint: ``exported`` is what ``contrawarp-export`` would
            write of it, the embedding of its head or else pooled features; ``pooled``
            and ``spatial`` leave out the head. An exported model is taken as it is.
        device: Where a checkpoint's encoder runs.

    Raises:
        InputError: If it is neither, or cannot give such features.
    """
    if path.suffix.lower() == ".onnx":
        if features == "spatial":
            raise NotApplicableError(
                f"{path}: an exported model gives its embeddings only; give its "
                "checkpoint for spatial features"
            )
        return OnnxEncoder(path)
    head = None
    if features == "exported":
        module, info = load_embedding(path)
        if isinstance(module, EmbeddingNetwork):
            head = module.head
            module = module.backbone
    else:
        module, info = load_backbone(path)
    return TorchEncoder(
        module,
        info.input_size,
        device=device,
        features="spatial" if features == "spatial" else "pooled",
        head=head,
        backbone=info.name,
        source=str(path),
        kind="checkpoint",
        commercial_use=info.commercial_use,
    )


def random_encoder(
    like: EncoderInfo, *, seed: int, features: FeatureKind, device: str
) -> TorchEncoder:
    """An encoder with the same architecture and fresh weights.

    Args:
        like: What to be like in network and input size.
        seed: Of the weights.
        features: Pooled ones stand for ``exported``: nothing was fitted.
        device: Where it runs.

    Raises:
        InputError: If the network cannot be built by name.
    """
    if like.backbone == "custom":
        raise NotApplicableError(
            f"{like.source}: is a network of your own, which cannot be built afresh "
            "by its name; leave out --random-init"
        )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        module, _ = build_backbone(like.backbone)
    return TorchEncoder(
        module,
        like.input_size,
        device=device,
        features="spatial" if features == "spatial" else "pooled",
        backbone=like.backbone,
        source=f"random initialisation, seed {seed}",
        kind="random",
        commercial_use="yes",
    )
