"""A run of fine-tuning: from a checkpoint and labelled images to another checkpoint."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
from pytorch_lightning import Trainer, seed_everything
from pytorch_lightning.callbacks import EarlyStopping, ModelCheckpoint
from pytorch_lightning.loggers import CSVLogger
from torch import nn

from contrawarp_edge.core.errors import InputError
from contrawarp_edge.core.text import printable
from lightly_contrawarp.data.labelled import LabelledImages
from lightly_contrawarp.models.checkpoint import (
    BackboneInfo,
    load_backbone,
)
from lightly_contrawarp.models.embedding.classifier import (
    FitFacts,
)
from lightly_contrawarp.models.finite import all_finite
from lightly_contrawarp.models.health import DivergedError
from lightly_contrawarp.training.fine_tuning.checkpoint import (
    RUN_KEY,
    RunClassifier,
    finish,
)
from lightly_contrawarp.training.fine_tuning.classifier import (
    build_classifier,
    build_loader,
)
from lightly_contrawarp.training.fine_tuning.labelled_rows import (
    LabelledRows,
    read_labelled,
)
from lightly_contrawarp.training.lightning import (
    AtomicCheckpointIO,
    ProgressWithEta,
    fit,
    quiet_lightning,
)
from lightly_contrawarp.training.resources import check_workers, explained_resources
from lightly_contrawarp.training.run_folder import LAST, check_epochs

BEST = "best.ckpt"
_MONITORED = "val_top1"
_MEMORY_ADVICE = "lower --batch-size, or take a smaller model"


@dataclass(frozen=True)
class FinetuneSettings:
    """What decides the outcome of a run; a resumed run has to have the same.

    Attributes:
        lr: Learning rate of SGD for a batch of 256; it is scaled with the batch, and
            falls to 0 as a cosine.
        batch_size: Most images in a step.
        label_smoothing: Share of the probability that is spread over all classes.
        patience: Epochs without a better accuracy on the held-out images to stop after.
        seed: Of the held-out images, the classifier, the order and the augmentation.
    """

    lr: float = 0.05
    batch_size: int = 64
    label_smoothing: float = 0.1
    patience: int = 5
    seed: int = 0


@dataclass(frozen=True)
class FinetuneResult:
    """What a run leaves.

    Attributes:
        checkpoint: The epoch that is most accurate on the held-out images.
        facts: What its classifier learned from, and how good it is on those images.
        unreadable: A line for each image that was left out.
    """

    checkpoint: Path
    facts: FitFacts
    unreadable: list[str]


def finetune(
    checkpoint: Path,
    images: LabelledImages,
    out: Path,
    settings: FinetuneSettings,
    *,
    epochs: int,
    workers: int = 0,
    resume: bool = False,
) -> FinetuneResult:
    """Trains an encoder and a classifier on labels; progress goes to stderr.

    A stratified tenth of the images is held out. It decides when to stop and which
    epoch is the best, and calibrates the classifier. ``out/last.ckpt`` is written after
    each epoch, ``out/best.ckpt`` after each that is better. At the end both get the
    calibrated classifier and an embedding head, fitted to the other images.

    Args:
        checkpoint: Where to start.
        images: The labelled images.
        out: Folder of the run.
        settings: What decides the outcome.
        epochs: Most passes over the images, those of a resumed run included.
        workers: Processes that decode.
        resume: Whether to go on from ``out/last.ckpt``.

    Raises:
        InputError: If the checkpoint or the images cannot be used, ``out`` holds
            another run, or there is nothing to resume.
        DivergedError: If training diverges.
    """
    check_workers(workers)
    backbone, info = load_backbone(checkpoint)
    where = printable(images.root)
    labelled, unreadable = read_labelled(images, settings.seed)
    run = {
        **asdict(settings),
        "classes": labelled.classes,
        "images": len(labelled.rows),
    }
    _check_run(out, run, epochs, resume)
    learned = ~labelled.held_out
    batch_size = min(settings.batch_size, int(learned.sum()))
    if batch_size < 2:
        raise InputError(f"{where}: too few images to learn from")
    seed_everything(settings.seed, workers=True, verbose=False)
    size = info.input_size
    module = build_classifier(
        backbone.requires_grad_(True),
        size,
        num_classes=len(labelled.classes),
        batch_size=batch_size,
        lr=settings.lr,
        kind=RunClassifier,
    )
    module.criterion = nn.CrossEntropyLoss(label_smoothing=settings.label_smoothing)
    module.info, module.run = _after_labels(info, labelled), run
    held_out = build_loader(
        images,
        *(labelled.rows[labelled.held_out], labelled.labels[labelled.held_out]),
        input_size=size,
        workers=workers,
    )
    learning = build_loader(
        *(images, labelled.rows[learned], labelled.labels[learned]),
        input_size=size,
        workers=workers,
        batch_size=batch_size,
        learning=True,
    )
    with quiet_lightning(), explained_resources(_MEMORY_ADVICE):
        trainer = _trainer(out, settings, epochs)
        last = out / LAST if resume else None
        fit(trainer, module.train(), learning, last, held_out=held_out)
        if not all_finite(module.state_dict().values()):
            raise DivergedError("fine-tuning has diverged")
        device = trainer.strategy.root_device
        facts = [
            finish(path, module.to(device), labelled, held_out)
            for path in (out / LAST, out / BEST)
        ]
    return FinetuneResult(out / BEST, facts[-1], unreadable)


def _check_run(out: Path, run: dict[str, Any], epochs: int, resume: bool) -> None:
    if out.exists() and not out.is_dir():
        raise InputError(f"{out}: is a file; --out has to be a folder")
    last = out / LAST
    if not resume:
        if last.exists():
            raise InputError(
                f"{out}: already holds a run; add --resume to go on with it, or give "
                "another --out"
            )
        return
    if not last.exists():
        raise InputError(f"{out}: has no {LAST} to resume from")
    load_backbone(last)
    before = torch.load(last, map_location="cpu", weights_only=True).get(RUN_KEY)
    if before is None:
        raise InputError(f"{out}: holds no run of contrawarp finetune")
    check_epochs(out, epochs)
    for key, value in run.items():
        if before.get(key) != value:
            raise InputError(
                f"{out}: was started with {key}={before.get(key)}, not {value}; resume "
                "with the same settings and images, or give another --out"
            )


def _after_labels(info: BackboneInfo, labelled: LabelledRows) -> BackboneInfo:
    """What is known of the encoder once it has learned labels."""
    name = printable(labelled.images.root.resolve().name)
    words = (
        f"{info.training_images}; then, with labels, a set named {name}; "
        f"{len(labelled.rows):,} images"
    )
    # What was declared is of the images without labels.
    use = "no" if info.commercial_use == "no" else "unknown"
    return replace(info, training_images=words, commercial_use=use)


class _Best(ModelCheckpoint):
    """Knows how good the best epoch was, also if the folder was moved meanwhile."""

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Takes up what a checkpoint says of it."""
        super().load_state_dict({**state_dict, "dirpath": self.dirpath})


def _trainer(out: Path, settings: FinetuneSettings, epochs: int) -> Trainer:
    return Trainer(
        max_epochs=epochs,
        accelerator="auto",
        devices=1,
        plugins=[AtomicCheckpointIO()],
        callbacks=[
            EarlyStopping(_MONITORED, patience=settings.patience, mode="max"),
            _Best(
                out,
                BEST.removesuffix(".ckpt"),
                monitor=_MONITORED,
                mode="max",
                enable_version_counter=False,
            ),
            ModelCheckpoint(
                out, LAST.removesuffix(".ckpt"), enable_version_counter=False
            ),
            ProgressWithEta(),
        ],
        logger=CSVLogger(out, "csv"),
        num_sanity_val_steps=0,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
