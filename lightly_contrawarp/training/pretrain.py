"""Pre-training on a folder of faces: everything between the images and last.ckpt."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Literal

import torch
from lightning_fabric.utilities.exceptions import MisconfigurationException
from pytorch_lightning import Trainer
from pytorch_lightning.callbacks import ModelCheckpoint
from pytorch_lightning.loggers import CSVLogger, TensorBoardLogger
from pytorch_lightning.utilities import rank_zero_only

from contrawarp_edge.core.errors import InputError, NotApplicableError
from contrawarp_edge.core.text import printable
from contrawarp_edge.inputs.images import SKIPPED_TSV
from lightly_contrawarp.data.folders import ImageScan
from lightly_contrawarp.training.align import align_folder
from lightly_contrawarp.training.annotations import Guidance, find_guidance
from lightly_contrawarp.training.head import BATCH_SIZE, keep_head
from lightly_contrawarp.training.images import (
    append_skipped,
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
from lightly_contrawarp.training.model import MEMORY_ADVICE, build_model
from lightly_contrawarp.training.resources import explained_resources
from lightly_contrawarp.training.run_folder import (
    ALIGNED,
    LAST,
    check_run,
    write_settings,
)
from lightly_contrawarp.training.settings import PretrainSettings
from lightly_contrawarp.transforms.action_warp import ActionWarp
from lightly_contrawarp.transforms.batch_transform import ContraWarpBatchTransform
from lightly_contrawarp.transforms.collate import ContraWarpCollate
from lightly_contrawarp.transforms.contrawarp_transform import ContraWarpTransform
from lightly_contrawarp.transforms.local_warp import LocalWarp

_HEAD_ADVICE = (
    "training is done and last.ckpt holds it, without an embedding head: fit one to "
    "fewer images with contrawarp-export --fit-head FOLDER"
)
"""What a user can do about memory after training."""


@dataclass(frozen=True)
class PretrainResult:
    """What a run leaves.

    Attributes:
        checkpoint: The encoder after the last epoch.
        scan: The images that were used and the files that were not.
        skipped_list: Those that cannot be used: a path, a tab and a reason on a line.
        no_head: Why the checkpoint has no embedding head; empty if it has one.
    """

    checkpoint: Path
    scan: ImageScan
    skipped_list: Path
    no_head: str = ""


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
    on_guidance: Callable[[Guidance], None] | None = None,
) -> PretrainResult:
    """Trains an encoder and leaves ``out/last.ckpt``, updated after each epoch.

    An embedding head is fitted to the images and added there at the end, if the
    encoder has a feature map.

    Args:
        folder: Images, nested at will; their labels, if any, are not used.
        out: Folder for checkpoint, settings, logs and the list of skipped files.
        settings: What decides the outcome.
        epochs: Passes over the images, those of a resumed run included.
        workers: Processes that decode.
        devices: Number of accelerators, or of processes on a CPU.
        resume: Whether to go on from ``out/last.ckpt``.
        views: Where views are made: ``"device"`` for a batch at once where the network
            is, ``"workers"`` where it is loaded. ``"auto"`` is the device, a CPU too.
            The views are distributed alike.
        compiled: Whether to compile the encoder, see ``torch.nn.Module.compile``.
        on_guidance: Called before the first step with what is used of ``faces.csv``,
            if anything is.

    Returns:
        What the run leaves.

    Raises:
        InputError: If there is nothing to train on, ``out`` holds another run, there
            is nothing to resume, or settings exclude each other.
        DivergedError: If training diverges; ``out/last.ckpt`` is that of the last good
            epoch, if there is one.
    """
    check_run(out, settings, epochs, resume)
    with quiet_lightning():
        transform = ContraWarpTransform(
            input_size=settings.input_size,
            num_negatives=settings.num_negatives,
            pairing=settings.pairing,
            warp=ActionWarp() if settings.warp == "actions" else LocalWarp(),
        )
        in_workers = views == "workers"
        batched = None if in_workers else ContraWarpBatchTransform(transform)
        model = build_model(settings, batched, compiled)
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
        loader = build_loader(
            scan,
            out / SKIPPED_TSV,
            input_size=settings.input_size,
            batch_size=settings.batch_size,
            workers=workers,
            devices=devices,
            collate=ContraWarpCollate(transform) if in_workers else None,
            guidance=guidance,
            seed=settings.seed,
        )
        log_every = max(1, min(10, len(loader) // devices))
        trainer = _build_trainer(out, settings, epochs, devices, log_every)
        if is_first_process():
            write_settings(out, settings)
            write_skipped(out / SKIPPED_TSV, scan)
            if guidance and on_guidance:
                on_guidance(guidance)
        if trainer.strategy.root_device.type == "cuda":
            # What is left for the CPU are the small draws of views, in which threads
            # wait for each other; and where others use the cores too, for very long.
            torch.set_num_threads(1)
        with explained_resources(MEMORY_ADVICE):
            fit(trainer, model, loader, out / LAST if resume else None)
        with explained_resources(_HEAD_ADVICE):
            no_head = _keep_head(out, scan, settings, guidance, workers, trainer)
    skipped_list = out / SKIPPED_TSV
    scan = with_failures(scan, skipped_list)
    if is_first_process():
        write_skipped(skipped_list, scan)  # each once, though several workers met it
    return PretrainResult(out / LAST, scan, skipped_list, no_head)


def is_first_process() -> bool:
    """Whether this is the process that writes and speaks: each device has its own."""
    return not getattr(rank_zero_only, "rank", 0)


def _keep_head(
    out: Path,
    scan: ImageScan,
    settings: PretrainSettings,
    guidance: Guidance | None,
    workers: int,
    trainer: Trainer,
) -> str:
    """Adds the embedding head to the checkpoint; says why, if there can be none."""
    if not is_first_process():
        return ""
    try:
        keep_head(
            out / LAST,
            scan.paths,
            settings.embedding_dim,
            on_failure=partial(append_skipped, out / SKIPPED_TSV),
            landmarks=guidance.landmarks if guidance else None,
            batch_size=min(BATCH_SIZE, settings.batch_size),
            workers=workers,
            device=trainer.strategy.root_device,
        )
    except NotApplicableError as error:
        return str(error)
    return ""


def _in_words(folder: Path, settings: PretrainSettings, images: int) -> str:
    """What a run is trained on, without the path, which is nobody's business."""
    what = settings.training_images
    if what == "unknown":
        what = f"a folder named {printable(folder.resolve().name)}"
    aligned = ", faces cut out" if settings.align else ""
    return f"{what}; {images:,} images{aligned}"


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
