"""Opening what is to be evaluated: model files, and untrained encoders beside them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import torch

from contrawarp_edge.core.errors import InputError, NotApplicableError
from lightly_contrawarp.data.labelled import LabelledImages
from lightly_contrawarp.evaluation.encoders.encoders import (
    Encoder,
    OnnxEncoder,
    TorchEncoder,
)
from lightly_contrawarp.evaluation.encoders.untrained import (
    FeatureKind,
    fit_to_labelled,
    random_encoder,
)
from lightly_contrawarp.models.checkpoint import load_backbone, load_embedding
from lightly_contrawarp.models.embedding.network import EmbeddingNetwork
from lightly_contrawarp.training.head import BATCH_SIZE


def open_encoders(
    paths: Sequence[Path],
    *,
    random_init: bool = False,
    features: FeatureKind = "exported",
    device: str = "auto",
    seed: int = 0,
    training: LabelledImages | None = None,
    batch_size: int = BATCH_SIZE,
    workers: int = 0,
) -> dict[str, Encoder]:
    """Opens model files, and untrained encoders to compare them with.

    Args:
        paths: See `load_encoder`.
        random_init: Whether to add, for each architecture and input size, an encoder
            with fresh weights.
        features: See `load_encoder`. If a model of that kind has an embedding head,
            an untrained encoder gets one too, of as many dimensions.
        device: See `resolve_device`.
        seed: Of the fresh weights.
        training: What the head of an untrained encoder is fitted to, without labels,
            and without a transform.
        batch_size: Images at a time that it is fitted to.
        workers: Processes that decode these.

    Returns:
        The encoders, by the shortest name that tells them apart. Untrained ones are
        called pooled where a model has a head and no such could be fitted to them.

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
        kinds: dict[tuple[str, int], list[Encoder]] = {}
        for one in encoders.values():
            kinds.setdefault((one.info.backbone, one.info.input_size), []).append(one)
        for (backbone, size), alike in kinds.items():
            several = sum(name == backbone for name, _ in kinds) > 1
            name = (
                f"{backbone}, {size} px, random" if several else f"{backbone}, random"
            )
            # An exported file does not say whether its embedding is that of a head.
            told = [one for one in alike if isinstance(one, TorchEncoder)] or alike
            dim = max(one.embedding_dim or 0 for one in told)
            wanted = features == "exported" and dim > 0
            fit = None
            if wanted and training is not None:
                fit = partial(
                    fit_to_labelled,
                    images=training,
                    dim=dim,
                    batch_size=batch_size,
                    workers=workers,
                )
            encoder = random_encoder(
                alike[0].info, seed=seed, features=features, device=device, fit=fit
            )
            pooled = wanted and encoder.embedding_dim is None
            encoders[f"{name}, pooled" if pooled else name] = encoder
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
