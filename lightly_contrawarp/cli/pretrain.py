"""``contrawarp pretrain``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, TypeVar

import click

from contrawarp_edge.align.crop import FACE_CROP
from contrawarp_edge.align.framing import framing_warning
from contrawarp_edge.core.command import EXIT_SKIPPED, FiniteRange
from contrawarp_edge.core.text import printable
from contrawarp_edge.inputs.images import SKIPPED_TSV, iter_images
from contrawarp_edge.inputs.others import say_others
from lightly_contrawarp.cli.option_types import INPUT_SIZE, NUM_NEGATIVES, SEED
from lightly_contrawarp.training.settings import PretrainSettings

_Command = TypeVar("_Command", bound=Callable[..., Any])
_DEFAULT = PretrainSettings()
_VIDEO_HINT = "contrawarp-edge align --every SECONDS takes their faces"


def _setting(name: str, kind: Any, text: str) -> Callable[[_Command], _Command]:
    """An option for a field of the settings, with the field's default."""
    option = f"--{name.replace('_', '-')}"
    return click.option(option, default=getattr(_DEFAULT, name), type=kind, help=text)


@click.command("pretrain", context_settings={"show_default": True})
@click.argument("folder", type=click.Path(path_type=Path))
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    required=True,
    help="Folder for last.ckpt, settings, logs and the list of skipped files.",
)
@click.option("--epochs", default=100, type=click.IntRange(1))
@_setting("backbone", str, "Torchvision model name, or small.")
@_setting("batch_size", click.IntRange(2), "Images a step, each in several views.")
@_setting("input_size", INPUT_SIZE, "In pixels.")
@_setting("num_negatives", NUM_NEGATIVES, "Warps of a face; 0 is SimCLR or BYOL.")
@click.option(
    "--paired/--unpaired",
    default=_DEFAULT.paired,
    help="Whether each warped face comes in two views.",
)
@_setting(
    "contrast",
    click.Choice(["online", "target", "symmetric"]),
    "What the views of warps are compared with.",
)
@_setting(
    "negatives_from",
    click.Choice(["batch", "face"]),
    "Whether other faces are negatives too, or only warps of the same one.",
)
@_setting("positive_weight", FiniteRange(0), "Of BYOL's term.")
@_setting("negative_weight", FiniteRange(0), "Of the contrast.")
@_setting("temperature", FiniteRange(0, min_open=True), "Of the contrast.")
@_setting("lr", FiniteRange(0, min_open=True), "Peak learning rate.")
@_setting(
    "centres",
    click.Choice(["landmarks", "template"]),
    "Where warps sit: landmarks of each image, if FOLDER/faces.csv has them, or the "
    "crop contract's.",
)
@_setting(
    "neighbours",
    FiniteRange(0),
    "Seconds up to which second views show another frame of the same track in "
    "FOLDER/faces.csv; 0 for the same frame.",
)
@_setting(
    "precision",
    click.Choice(["32-true", "bf16-mixed", "16-mixed"]),
    "Number format of the computation.",
)
@click.option(
    "--channels-last", is_flag=True, help="Faster for MobileNets on a CPU, and on GPUs."
)
@_setting("seed", SEED, "Of weights, order and views.")
@_setting(
    "commercial_use",
    click.Choice(["unknown", "yes", "no"]),
    "What the licence of the images allows; kept with the model.",
)
@click.option(
    "--training-images",
    default=_DEFAULT.training_images,
    show_default="the name of FOLDER",
    help="What the images are and whose, in words; kept with the model.",
)
@click.option("--align", is_flag=True, help="Cut faces out first, into OUT/aligned.")
@click.option(
    "--workers", default=2, type=click.IntRange(0), help="Processes that decode."
)
@click.option(
    "--views",
    default="auto",
    type=click.Choice(["auto", "device", "workers"]),
    help="Whether views are made for a batch on the device, as auto does, or for each "
    "image by the workers.",
)
@click.option(
    "--compile",
    "compiled",
    is_flag=True,
    help="Compile the encoder: a minute, then faster steps of small networks on a CPU.",
)
@click.option("--devices", default=1, type=click.IntRange(1), help="GPUs to train on.")
@click.option("--resume", is_flag=True, help="Go on from OUT/last.ckpt.")
def pretrain_command(
    folder: Path,
    out: Path,
    epochs: int,
    workers: int,
    views: Literal["auto", "device", "workers"],
    compiled: bool,
    devices: int,
    resume: bool,
    **settings: object,
) -> None:
    """Train an encoder on the images below FOLDER, without labels.

    Exit code 3 means that the run is complete but files were skipped.
    """
    from lightly_contrawarp.training.pretrain import (
        LAST,
        is_first_process,
        pretrain,
    )

    if is_first_process() and not settings["align"]:
        _warn_of_framing(folder)
    scan = pretrain(
        folder,
        out,
        PretrainSettings(**settings),  # type: ignore[arg-type]
        epochs=epochs,
        workers=workers,
        devices=devices,
        resume=resume,
        views=views,
        compiled=compiled,
    )
    if not is_first_process():
        return
    click.echo(f"{out / LAST}: trained on {len(scan.paths):,} images")
    if text := say_others(scan.others, _VIDEO_HINT):
        click.echo(printable(text), err=True)
    if scan.skipped:
        click.echo(
            f"{len(scan.skipped):,} files skipped, the first: "
            f"{scan.skipped[0]}; all of them in {out / SKIPPED_TSV}",
            err=True,
        )
        raise SystemExit(EXIT_SKIPPED)


def _warn_of_framing(folder: Path) -> None:
    paths = list(iter_images(folder)) if folder.is_dir() else []
    advice = "cut them out with --align or `contrawarp-edge align`"
    if text := framing_warning(paths, len(paths), FACE_CROP, advice):
        click.echo(f"Warning: {text}", err=True)
