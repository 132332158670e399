"""Pre-training on a folder of faces: everything between the images and last.ckpt."""

from __future__ import annotations

import json
import os
import shutil
import sys
from dataclasses import asdict, replace
from pathlib import Path
from typing import Literal

import torch
from lightning_fabric.utilities.exceptions import MisconfigurationException
from pytorch_lightning import Trainer, seed_everything
from pytorch_lightning.callbacks import ModelCheckpoint
from pytorch_lightning.loggers import CSVLogger, TensorBoardLogger
from pytorch_lightning.utilities import rank_zero_only

from contrawarp_edge.core.errors import InputError
from contrawarp_edge.core.files import atomic_write_text
from contrawarp_edge.core.text import printable
from contrawarp_edge.inputs.images import SKIPPED_TSV
from lightly_contrawarp.data.folders import ImageScan
from lightly_contrawarp.models.checkpoint import epochs_done, load_backbone
from lightly_contrawarp.models.contrawarp import ContraWarp
from lightly_contrawarp.models.health import DivergedError
from lightly_contrawarp.training.align import align_folder
from lightly_contrawarp.training.annotations import find_guidance
from lightly_contrawarp.training.images import (
    build_loader,
    decoded_side,
    find_images,
    with_failures,
    write_skipped,
)
from lightly_contrawarp.training.lightning import (
    AtomicCheckpointIO,
    ProgressWithEta,
    fit,
    quiet_lightning,
)
from lightly_contrawarp.training.resources import explained_resources
from lightly_contrawarp.training.settings import PretrainSettings
from lightly_contrawarp.transforms.batch_transform import ContraWarpBatchTransform
from lightly_contrawarp.transforms.contrawarp_transform import ContraWarpTransform

LAST = "last.ckpt"
ALIGNED = "aligned"
_SETTINGS = "settings.json"


def pretrain(
    folder: Path,
    out: Path,
    settings: PretrainSettings,
    *,
    epochs: int,
    workers: int = 0,
    devices: int = 1,
    resume: bool = False,
    views: Literal["auto", "device", "workers"] = "auto",
    compiled: bool = False,
) -> ImageScan:
    """Trains an encoder and leaves ``out/last.ckpt``, updated after each epoch.

    Args:
        folder: Images, nested at will; their labels, if any, are not used.
        out: Folder for checkpoint, settings, logs and the list of skipped files.
        settings: What decides the outcome.
        epochs: Passes over the images, those of a resumed run included.
        workers: Processes that decode.
        devices: Number of accelerators, or of processes on a CPU.
        resume: Whether to go on from ``out/last.ckpt``.
        views: Where views are made: ``"device"`` for a batch at once where the network
            is, ``"workers"`` for each image. ``"auto"`` is the device, a CPU too:
            a batch takes less work in all. The views are distributed alike.
        compiled: Whether to compile the encoder, see ``torch.nn.Module.compile``.

    Returns:
        The images that were used and the files that were skipped.

    Raises:
        InputError: If there is nothing to train on, ``out`` holds another run, there
            is nothing to resume, settings exclude each other, or training diverges.
    """
    _check_run(out, settings, epochs, resume)
    with quiet_lightning():
        transform = ContraWarpTransform(
            input_size=settings.input_size,
            num_negatives=settings.num_negatives,
            paired=settings.paired,
        )
        in_workers = views == "workers"
        batched = None if in_workers else ContraWarpBatchTransform(transform)
        model = _build_model(settings, batched)
        if compiled:
            _compile(model)
        source = folder
        unused = ImageScan([], [])
        if settings.align:
            if is_first_process():
                size = decoded_side(settings.input_size)
                unused = align_folder(folder, out / ALIGNED, size)
            folder = out / ALIGNED
        scan = find_images(folder, devices)
        scan.skipped.extend(unused.skipped)
        scan.others.update(unused.others)
        words = _in_words(source, settings, len(scan.paths))
        model.info = replace(model.info, training_images=words)
        guidance = find_guidance(folder, scan.paths, settings)
        if guidance and in_workers:
            raise InputError(
                "--views workers uses no landmarks and no neighbouring frames; leave "
                "it out, or add --centres template"
            )
        loader = build_loader(
            scan,
            out / SKIPPED_TSV,
            input_size=settings.input_size,
            batch_size=settings.batch_size,
            workers=workers,
            devices=devices,
            transform=transform if in_workers else None,
            guidance=guidance,
            seed=settings.seed,
        )
        log_every = max(1, min(10, len(loader) // devices))
        trainer = _build_trainer(out, settings, epochs, devices, log_every)
        if is_first_process():
            out.mkdir(parents=True, exist_ok=True)
            text = json.dumps(asdict(settings), indent=2) + "\n"
            atomic_write_text(out / _SETTINGS, text)
            write_skipped(out / SKIPPED_TSV, scan)
            if guidance:
                print(guidance.says, file=sys.stderr, flush=True)
        try:
            fit(trainer, model, loader, out / LAST if resume else None)
        except DivergedError as error:
            raise InputError(_after_divergence(out / LAST)) from error
    scan = with_failures(scan, out / SKIPPED_TSV)
    if is_first_process():
        write_skipped(
            out / SKIPPED_TSV, scan
        )  # each once, though several workers met it
    return scan


def is_first_process() -> bool:
    """Whether this is the process that writes and speaks: each device has its own."""
    return not getattr(rank_zero_only, "rank", 0)


def _after_divergence(last: Path) -> str:
    kept = "no checkpoint was written"
    if last.exists():
        kept = f"{last} is that of the last good epoch"
    return (
        f"training has diverged, weights are no longer finite numbers; {kept}; start "
        "again with a lower --lr, a higher --temperature or another --precision, and "
        "another --out"
    )


def _check_run(
    out: Path, settings: PretrainSettings, epochs: int, resume: bool
) -> None:
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
    done = epochs_done(out / LAST)
    if done > epochs:
        raise InputError(
            f"{out}: has done {done} epochs, more than --epochs {epochs}, which counts "
            "those too; give a higher number to go on"
        )
    try:
        before = json.loads((out / _SETTINGS).read_text())
    except ValueError as error:
        raise InputError(f"{out / _SETTINGS}: damaged ({error})") from error
    for key, value in asdict(settings).items():
        if before.get(key, value) != value:
            raise InputError(
                f"{out}: was started with {key}={before[key]}, not {value}; resume "
                "with the same settings, or give another --out"
            )


def _build_model(
    settings: PretrainSettings, batch_transform: ContraWarpBatchTransform | None
) -> ContraWarp:
    seed_everything(settings.seed, workers=True, verbose=False)
    _check_contrast(settings)
    model = ContraWarp(
        backbone=settings.backbone,
        batch_transform=batch_transform,
        input_size=settings.input_size,
        num_negatives=settings.num_negatives,
        paired=settings.paired,
        contrast=settings.contrast,
        negatives_from=settings.negatives_from,
        positive_weight=settings.positive_weight,
        negative_weight=settings.negative_weight,
        temperature=settings.temperature,
        lr=settings.lr,
        channels_last=settings.channels_last,
        commercial_use=settings.commercial_use,
    )
    _try_out(model, settings)
    return model


def _try_out(model: ContraWarp, settings: PretrainSettings) -> None:
    """Some networks take one size of images, or none below another."""
    size = settings.input_size
    try:
        with torch.no_grad(), explained_resources():
            model.backbone.eval()(torch.zeros(1, 3, size, size))
    except (RuntimeError, AssertionError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        reason = str(error).splitlines()[0]
        raise InputError(
            f"backbone {settings.backbone} takes no images of {size} pixels "
            f"({reason}); give another --input-size"
        ) from error
    finally:
        model.backbone.train()


def _in_words(folder: Path, settings: PretrainSettings, images: int) -> str:
    """What a run is trained on, without the path, which is nobody's business."""
    what = settings.training_images
    if what == "unknown":
        what = f"a folder named {printable(folder.resolve().name)}"
    aligned = ", faces cut out" if settings.align else ""
    return f"{what}; {images:,} images{aligned}"


def _compile(model: ContraWarp) -> None:
    """Compiles the encoders in place, so that checkpoints stay as they are."""
    if not torch.cuda.is_available() and not shutil.which(os.environ.get("CXX", "g++")):
        raise InputError("--compile needs a C++ compiler on a CPU; install g++")
    model.backbone.compile()
    if model.target is not None:
        model.target.backbone.compile()


def _check_contrast(settings: PretrainSettings) -> None:
    if settings.negatives_from == "batch" and settings.num_negatives:
        for name, value, wanted in (
            ("--unpaired", settings.paired, True),
            (f"--contrast {settings.contrast}", settings.contrast, "online"),
        ):
            if value != wanted:
                raise InputError(f"{name} needs --negatives-from face")


def _build_trainer(
    out: Path,
    settings: PretrainSettings,
    epochs: int,
    devices: int,
    log_every: int,
) -> Trainer:
    name = LAST.removesuffix(".ckpt")
    try:
        return Trainer(
            max_epochs=epochs,
            accelerator="auto",
            devices=devices,
            precision=settings.precision,  # type: ignore[arg-type]
            plugins=[AtomicCheckpointIO()],
            callbacks=[
                ModelCheckpoint(out, name, enable_version_counter=False),
                ProgressWithEta(),
            ],
            logger=[CSVLogger(out, "csv"), TensorBoardLogger(out, "tensorboard")],
            log_every_n_steps=log_every,
            enable_progress_bar=False,
            enable_model_summary=False,
        )
    except MisconfigurationException as error:  # more devices than there are, for one
        raise InputError(str(error)) from error
