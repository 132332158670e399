"""Short pre-training of the encoders; what is finished is not done again."""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from benchmarks.facts import commit, hardware
from benchmarks.int8.scale import Encoder, Scale
from contrawarp_edge.core.errors import InputError
from contrawarp_edge.core.files import atomic_write_text
from contrawarp_edge.inputs.images import iter_images
from lightly_contrawarp.data.synthetic import save_drawn_faces
from lightly_contrawarp.evaluation.versions import versions
from lightly_contrawarp.training.pretrain import pretrain
from lightly_contrawarp.training.run_folder import LAST
from lightly_contrawarp.training.settings import PretrainSettings

SEED = 0
"""Draws the images, and seeds the training."""

_DRAWN = {"train": 120, "validation": 200}
_DRAWN_SIDE = 48


def train(encoder: Encoder, scale: Scale, images: Path, out: Path) -> dict[str, Any]:
    """Trains an encoder, unless that is done, from where it was stopped.

    Args:
        encoder: What to train.
        scale: For how long.
        images: Folder of the training images.
        out: Folder of the run; ``out/last.ckpt`` is the encoder.

    Returns:
        What it was trained with.

    Raises:
        InputError: If a finished encoder in ``out`` was trained in another way.
    """
    settings = PretrainSettings(
        backbone=encoder.backbone,
        input_size=encoder.input_size,
        batch_size=scale.batch_size,
        seed=SEED,
    )
    wanted = {**asdict(settings), "epochs": scale.epochs, "images": scale.images}
    note = out / "trained.json"
    if note.exists():
        facts: dict[str, Any] = json.loads(note.read_text())
        if facts["wanted"] != wanted:
            raise InputError(
                f"{out}: holds an encoder that was trained in another way; delete it"
            )
        return facts
    resume = (out / LAST).exists()
    result = pretrain(images, out, settings, epochs=scale.epochs, resume=resume)
    trained_on = len(result.scan.paths)
    facts = {
        "wanted": wanted,
        "images": trained_on,
        "steps": scale.epochs * (trained_on // scale.batch_size),
        "commit": commit(),
        "versions": versions(),
        "hardware": hardware(),
    }
    atomic_write_text(note, json.dumps(facts, indent=2) + "\n")
    return facts


def draw_images(source: Path, count: int, folder: Path) -> Path:
    """Copies images drawn at random, always the same ones, to a folder; once.

    Args:
        source: Searched with all its sub-folders.
        count: How many; all if there are fewer.
        folder: Where they go, without their labels.

    Returns:
        ``folder``.
    """
    if folder.exists():
        return folder
    found = list(iter_images(source))
    order = torch.randperm(len(found), generator=torch.Generator().manual_seed(SEED))
    partial = folder.with_name(f".{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    for place, index in enumerate(order[:count].tolist()):
        image = found[index]
        shutil.copyfile(image, partial / f"{place:05}{image.suffix}")
    partial.rename(folder)
    return folder


def draw_faces(folder: Path) -> Path:
    """Draws labelled faces in the layout of FER2013, for a smoke run."""
    folder.mkdir(parents=True, exist_ok=True)
    for seed, (part, count) in enumerate(_DRAWN.items()):
        save_drawn_faces(
            folder / part, count, num_identities=count // 10, seed=seed,
            size=_DRAWN_SIDE, labelled=True,
        )  # fmt: skip
    return folder
