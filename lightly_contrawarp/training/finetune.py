"""A run of fine-tuning: from a checkpoint and labelled images to another checkpoint."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightly.utils.benchmarking import FinetuneClassifier
from numpy.typing import NDArray
from pytorch_lightning import Trainer, seed_everything
from pytorch_lightning.callbacks import EarlyStopping, ModelCheckpoint
from pytorch_lightning.loggers import CSVLogger
from torch import Tensor, nn
from torchmetrics.functional.classification import multiclass_calibration_error
from torchvision.transforms import v2

from contrawarp_edge.core.errors import InputError, NotApplicableError
from contrawarp_edge.core.progress import Progress
from contrawarp_edge.core.text import printable
from lightly_contrawarp.data.held_out import hold_out
from lightly_contrawarp.data.labelled import LabelledImages
from lightly_contrawarp.models.checkpoint import (
    CHECKPOINT_KEY,
    CLASSIFIER_KEY,
    HEAD_KEY,
    BackboneInfo,
    load_backbone,
)
from lightly_contrawarp.models.embedding.classifier import (
    FitFacts,
    LinearClassifier,
    fit_temperature,
    images_by_class,
)
from lightly_contrawarp.models.embedding.fitting import MAX_IMAGES, fit_embedding_head
from lightly_contrawarp.models.finite import all_finite
from lightly_contrawarp.models.health import DivergedError
from lightly_contrawarp.models.settings import ModelSettings
from lightly_contrawarp.training.fine_tuning import (
    build_classifier,
    build_loader,
    predict_logits,
)
from lightly_contrawarp.training.images import decoded_side
from lightly_contrawarp.training.lightning import (
    AtomicCheckpointIO,
    ProgressWithEta,
    fit,
    quiet_lightning,
)
from lightly_contrawarp.training.resources import check_workers, explained_resources
from lightly_contrawarp.training.run_folder import LAST

BEST = "best.ckpt"
_RUN_KEY = "contrawarp_finetune"
_MONITORED = "val_top1"
_BINS = 15
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


@dataclass(frozen=True)
class _Labelled:
    """The readable images of a set, and which of them are held out."""

    images: LabelledImages
    rows: NDArray[np.int64]
    labels: NDArray[np.int64]
    classes: list[str]
    held_out: NDArray[np.bool_]


class _Classifier(FinetuneClassifier):
    """Lightly's, in checkpoints that `load_backbone` reads."""

    info: BackboneInfo
    run: dict[str, Any]

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Names the encoder's weights as in pre-training, and says what they are."""
        checkpoint["state_dict"] = _renamed(
            checkpoint["state_dict"], "model.", "backbone."
        )
        checkpoint[CHECKPOINT_KEY] = self.info.to_dict()
        checkpoint[_RUN_KEY] = self.run

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Gives them their names back."""
        checkpoint["state_dict"] = _renamed(
            checkpoint["state_dict"], "backbone.", "model."
        )


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
    labelled, unreadable = _readable(images, settings.seed)
    run = {
        **asdict(settings),
        "classes": labelled.classes,
        "images": len(labelled.rows),
    }
    _check_run(out, run, resume)
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
        kind=_Classifier,
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
            _finish(path, module.to(device), labelled, held_out)
            for path in (out / LAST, out / BEST)
        ]
    return FinetuneResult(out / BEST, facts[-1], unreadable)


def _readable(images: LabelledImages, seed: int) -> tuple[_Labelled, list[str]]:
    rows, unreadable = [], []
    progress = Progress(len(images))
    for row in range(len(images)):
        try:
            images[row]
        except InputError as error:
            unreadable.append(str(error))
        else:
            rows.append(row)
        progress.update(row + 1)
    progress.clear()
    kept = np.array(rows, dtype=np.int64)
    seen, labels = np.unique(
        np.array(images.labels, dtype=np.int64)[kept], return_inverse=True
    )
    try:
        held_out = hold_out(labels, seed=seed)
    except InputError as error:
        raise InputError(f"{printable(images.root)}: {error}") from error
    classes = [images.classes[label] for label in seen]
    return _Labelled(images, kept, labels, classes, held_out), unreadable


def _check_run(out: Path, run: dict[str, Any], resume: bool) -> None:
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
    before = torch.load(last, map_location="cpu", weights_only=True).get(_RUN_KEY)
    if before is None:
        raise InputError(f"{out}: holds no run of contrawarp finetune")
    for key, value in run.items():
        if before.get(key) != value:
            raise InputError(
                f"{out}: was started with {key}={before.get(key)}, not {value}; resume "
                "with the same settings and images, or give another --out"
            )


def _after_labels(info: BackboneInfo, labelled: _Labelled) -> BackboneInfo:
    """What is known of the encoder once it has learned labels."""
    name = printable(labelled.images.root.resolve().name)
    words = (
        f"{info.training_images}; then, with labels, a set named {name}; "
        f"{len(labelled.rows):,} images"
    )
    # What was declared is of the images without labels.
    use = "no" if info.commercial_use == "no" else "unknown"
    return replace(info, training_images=words, commercial_use=use)


def _trainer(out: Path, settings: FinetuneSettings, epochs: int) -> Trainer:
    names = {"enable_version_counter": False}
    return Trainer(
        max_epochs=epochs,
        accelerator="auto",
        devices=1,
        plugins=[AtomicCheckpointIO()],
        callbacks=[
            EarlyStopping(_MONITORED, patience=settings.patience, mode="max"),
            ModelCheckpoint(
                *(out, BEST.removesuffix(".ckpt")),
                monitor=_MONITORED,
                mode="max",
                **names,
            ),
            ModelCheckpoint(out, LAST.removesuffix(".ckpt"), **names),
            ProgressWithEta(),
        ],
        logger=CSVLogger(out, "csv"),
        num_sanity_val_steps=0,
        enable_progress_bar=False,
        enable_model_summary=False,
    )


def _finish(
    path: Path, module: _Classifier, labelled: _Labelled, held_out: Any
) -> FitFacts:
    """Adds the calibrated classifier and the embedding head to a checkpoint."""
    content = torch.load(path, map_location="cpu", weights_only=True)
    module.load_state_dict(_renamed(content["state_dict"], "backbone.", "model."))
    truth = labelled.labels[labelled.held_out]
    logits = predict_logits(module, held_out)
    temperature = fit_temperature(logits, truth)
    error = multiclass_calibration_error(
        torch.from_numpy(logits / np.float32(temperature)).softmax(dim=1),
        torch.from_numpy(truth),
        num_classes=len(labelled.classes),
        n_bins=_BINS,
    )
    facts = FitFacts(
        source=f"a labelled set named {printable(labelled.images.root.resolve().name)}",
        images_by_class=images_by_class(labelled.classes, labelled.labels),
        held_out=len(truth),
        accuracy=float((logits.argmax(axis=1) == truth).mean()),
        calibration_error=float(error),
    )
    linear = module.classification_head
    classifier = LinearClassifier(
        *(one.detach().cpu() / temperature for one in (linear.weight, linear.bias)),
        facts,
        reads_pooled=True,
    )
    added: dict[str, Any] = {CLASSIFIER_KEY: classifier.to_state()}
    rows = labelled.rows[~labelled.held_out]
    size = module.info.input_size
    progress = Progress(min(len(rows), MAX_IMAGES))
    try:
        head = fit_embedding_head(
            *(module.model, _batches(labelled.images, rows, decoded_side(size)), size),
            ModelSettings.embedding_dim,
            on_progress=progress.update,
        )
        added[HEAD_KEY] = head.state_dict()
    except NotApplicableError:
        pass  # its pooled output is exported
    finally:
        progress.clear()
    AtomicCheckpointIO().save_checkpoint({**content, **added}, path)
    return facts


def _batches(
    images: LabelledImages, rows: NDArray[np.int64], side: int
) -> Iterator[Tensor]:
    """Some of the images, evenly spread, as ``uint8`` batches."""
    count = min(len(rows), MAX_IMAGES)
    chosen = rows[np.arange(count) * len(rows) // count]
    change = v2.Compose([v2.Resize((side, side)), v2.PILToTensor()])
    for start in range(0, count, 256):
        part = chosen[start : start + 256].tolist()
        yield torch.stack([change(images[row][0]) for row in part])


def _renamed(state: dict[str, Any], before: str, after: str) -> dict[str, Any]:
    return {
        after + key.removeprefix(before) if key.startswith(before) else key: value
        for key, value in state.items()
    }
