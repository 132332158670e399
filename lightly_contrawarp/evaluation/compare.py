"""Evaluating a checkpoint, if wanted beside an untrained encoder of its kind."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import nn

from contrawarp_edge.errors import InputError
from contrawarp_edge.progress import Progress
from lightly_contrawarp.backbones import build_backbone
from lightly_contrawarp.checkpoint import load_backbone
from lightly_contrawarp.data.labelled import LabelledFolder
from lightly_contrawarp.evaluation.evaluate import EvaluationSettings, evaluate


def evaluate_checkpoint(
    checkpoint: Path,
    train_root: Path,
    test_root: Path,
    *,
    random_init: bool = False,
    batch_size: int = 256,
    workers: int = 0,
    device: str = "auto",
    seeds: tuple[int, ...] = (0, 1, 2),
) -> dict[str, dict[str, Any]]:
    """Evaluates the encoder of a checkpoint; progress goes to standard error.

    Args:
        checkpoint: The ``.ckpt`` file.
        train_root: Labelled images that the probes learn from; see `LabelledFolder`.
        test_root: Labelled images that they are scored on.
        random_init: Whether to evaluate freshly initialised weights too.
        batch_size: Images in a batch.
        workers: Processes that decode images; 0 decodes in this one.
        device: See `resolve_device`.
        seeds: Seeds of the linear probe; the first also draws the fresh weights.

    Returns:
        What `evaluate` returns, with the encoder's ``backbone`` and ``dim``, by the
        name of the encoder; the checkpoint comes first.

    Raises:
        InputError: If the checkpoint or a folder cannot be used.
    """
    backbone, info = load_backbone(checkpoint)
    encoders = {checkpoint.name: backbone}
    if random_init:
        encoders[f"{info.name}, random"] = _random_encoder(info.name, seeds[0])
    settings = EvaluationSettings(
        input_size=info.input_size,
        batch_size=batch_size,
        workers=workers,
        device=resolve_device(device),
        seeds=seeds,
    )
    train, test = LabelledFolder(train_root), LabelledFolder(test_root)
    results = {}
    for name, encoder in encoders.items():
        progress = Progress(len(train) + len(test))
        result = evaluate(encoder, train, test, settings, on_progress=progress.update)
        progress.clear()
        results[name] = {"backbone": info.name, "dim": info.dim, **result}
    return results


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


def _random_encoder(name: str, seed: int) -> nn.Module:
    torch.manual_seed(seed)
    encoder, _ = build_backbone(name)
    return encoder
