"""Pre-training on a folder of faces: everything between the images and last.ckpt."""

from __future__ import annotations

import json
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from pytorch_lightning import Trainer, seed_everything
from pytorch_lightning.callbacks import ModelCheckpoint
from pytorch_lightning.loggers import CSVLogger, TensorBoardLogger
from torch.utils.data import DataLoader
from torchvision.transforms import v2

from contrawarp_edge.errors import InputError
from lightly_contrawarp.batch_transform import ContraWarpBatchTransform
from lightly_contrawarp.checkpoint import load_backbone
from lightly_contrawarp.data.folders import FaceFolder, ImageScan, scan_images
from lightly_contrawarp.files import atomic_write_text
from lightly_contrawarp.module import ContraWarp
from lightly_contrawarp.progress import ProgressWithEta
from lightly_contrawarp.transform import ContraWarpTransform

LAST = "last.ckpt"
_SETTINGS = "settings.json"
_SKIPPED = "skipped.tsv"


@dataclass(frozen=True)
class PretrainSettings:
    """What decides the outcome of a run; a resumed run has to have the same.

    Attributes:
        backbone: Torchvision name.
        input_size: Height and width of the views in pixels.
        batch_size: Images a step; each comes in several views.
        num_negatives: Warped faces an image.
        paired: Whether each warped face comes in two views.
        positive_weight: Weight of the positive term.
        negative_weight: Weight of the negative term.
        temperature: Temperature of the contrast.
        lr: Peak learning rate.
        precision: Lightning's precision, such as ``"bf16-mixed"``.
        channels_last: Whether to compute in channels-last memory format.
        seed: Seed of weights, order and views.
        commercial_use: What the licence of the images allows.
    """

    backbone: str
    input_size: int
    batch_size: int
    num_negatives: int
    paired: bool
    positive_weight: float
    negative_weight: float
    temperature: float
    lr: float
    precision: str
    channels_last: bool
    seed: int
    commercial_use: str


def pretrain(
    folder: Path,
    out: Path,
    settings: PretrainSettings,
    *,
    epochs: int,
    workers: int = 0,
    devices: int = 1,
    resume: bool = False,
) -> ImageScan:
    """Trains an encoder and leaves ``out/last.ckpt``, updated after each epoch.

    Args:
        folder: Images, nested at will; their labels, if any, are not used.
        out: Folder for checkpoint, settings, logs and the list of skipped files.
        settings: What decides the outcome.
        epochs: Passes over the images, those of a resumed run included.
        workers: Processes that make views.
        devices: Number of accelerators, or of processes on a CPU.
        resume: Whether to go on from ``out/last.ckpt``.

    Returns:
        The images that were found and those that were skipped.

    Raises:
        InputError: If there is nothing to train on, ``out`` holds another run, or
            there is nothing to resume.
    """
    checkpoint = out / LAST
    _check_run(out, settings, resume)
    model = _build_model(settings)
    scan = scan_images(folder)
    if len(scan.paths) < 2:
        raise InputError(f"{folder}: holds one readable image; at least 2 are needed")
    out.mkdir(parents=True, exist_ok=True)
    atomic_write_text(out / _SETTINGS, json.dumps(asdict(settings), indent=2) + "\n")
    lines = [f"{file.path}\t{file.reason}\n" for file in scan.skipped]
    atomic_write_text(out / _SKIPPED, "".join(lines))
    loader = _build_loader(scan, settings, workers)
    with _quiet_lightning():
        trainer = Trainer(
            max_epochs=epochs,
            accelerator="auto",
            devices=devices,
            precision=settings.precision,  # type: ignore[arg-type]
            callbacks=[
                ModelCheckpoint(
                    out, LAST.removesuffix(".ckpt"), enable_version_counter=False
                ),
                ProgressWithEta(),
            ],
            logger=[CSVLogger(out, "csv"), TensorBoardLogger(out, "tensorboard")],
            log_every_n_steps=min(10, len(loader)),
            enable_progress_bar=False,
            enable_model_summary=False,
        )
        try:
            trainer.fit(model, loader, ckpt_path=checkpoint if resume else None)
        except SystemExit:
            if trainer.interrupted:  # Lightning turns Ctrl-C into exit code 1
                raise KeyboardInterrupt from None
            raise
    return scan


def _check_run(out: Path, settings: PretrainSettings, resume: bool) -> None:
    if out.exists() and not out.is_dir():
        raise InputError(f"{out}: is a file; --out has to be a folder")
    if not resume:
        if (out / LAST).exists():
            raise InputError(
                f"{out}: already holds a run; add --resume to go on with it, or give "
                "another --out"
            )
        return
    if not (out / LAST).exists():
        raise InputError(f"{out}: has no {LAST} to resume from")
    load_backbone(out / LAST)
    before = json.loads((out / _SETTINGS).read_text())
    for key, value in asdict(settings).items():
        if before.get(key, value) != value:
            raise InputError(
                f"{out}: was started with {key}={before[key]}, not {value}; resume "
                "with the same settings, or give another --out"
            )


def _build_model(settings: PretrainSettings) -> ContraWarp:
    seed_everything(settings.seed, workers=True, verbose=False)
    transform = ContraWarpTransform(
        input_size=settings.input_size,
        num_negatives=settings.num_negatives,
        paired=settings.paired,
    )
    return ContraWarp(
        backbone=settings.backbone,
        batch_transform=ContraWarpBatchTransform(transform),
        input_size=settings.input_size,
        num_negatives=settings.num_negatives,
        paired=settings.paired,
        positive_weight=settings.positive_weight,
        negative_weight=settings.negative_weight,
        temperature=settings.temperature,
        lr=settings.lr,
        channels_last=settings.channels_last,
        commercial_use=settings.commercial_use,
    )


def _build_loader(
    scan: ImageScan, settings: PretrainSettings, workers: int
) -> DataLoader[Any]:
    # Workers only decode; a margin keeps the crops from being scaled up.
    side = round(settings.input_size * 1.12)
    decode = v2.Compose([v2.Resize((side, side)), v2.PILToTensor()])
    return DataLoader(
        FaceFolder(scan.paths, decode),
        batch_size=min(settings.batch_size, len(scan.paths)),
        shuffle=True,
        drop_last=True,
        num_workers=workers,
        persistent_workers=workers > 0,
        pin_memory=torch.cuda.is_available(),
    )


@contextmanager
def _quiet_lightning() -> Iterator[None]:
    """Drops Lightning's advice, which is about code that a command's user lacks."""
    logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module="pytorch_lightning.*")
        yield
