"""``contrawarp pretrain``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click
from click.core import ParameterSource

from contrawarp_edge.core.command import EXIT_SKIPPED
from contrawarp_edge.core.errors import InputError
from contrawarp_edge.core.text import printable
from lightly_contrawarp.cli.option_types import option_name, setting_options
from lightly_contrawarp.models.presets import PRESETS
from lightly_contrawarp.training.settings import PretrainSettings

if TYPE_CHECKING:
    from lightly_contrawarp.training.annotations import Guidance

_VIDEO_HINT = "contrawarp-edge align --every SECONDS takes their faces"


@click.command("pretrain", context_settings={"show_default": True})
@click.argument("folder", type=click.Path(path_type=Path))
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    required=True,
    help="Folder for last.ckpt, settings, logs and the list of skipped files.",
)
@click.option("--epochs", default=100, type=click.IntRange(1))
@click.option(
    "--preset",
    type=click.Choice([*PRESETS]),
    show_default=next(iter(PRESETS)),
    help="Recipe to start from; options that are given beside it win.",
)
@setting_options
@click.option(
    "--workers", default=2, type=click.IntRange(0), help="Processes that decode."
)
@click.option(
    "--views",
    default="auto",
    type=click.Choice(["auto", "device", "workers"]),
    help="Whether the views of a batch are made on the device, as auto does, or by the "
    "worker that loads it.",
)
@click.option(
    "--compile",
    "compiled",
    is_flag=True,
    help="Compile the encoder: a minute, then faster steps of small networks on a CPU.",
)
@click.option("--devices", default=1, type=click.IntRange(1), help="GPUs to train on.")
@click.option(
    "--resume",
    is_flag=True,
    help="Go on from OUT/last.ckpt, with the settings of that run.",
)
def pretrain_command(
    folder: Path,
    out: Path,
    epochs: int,
    preset: str | None,
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
    base = {
        **(_settings_of_run(out) if resume else {}),
        **(PRESETS[preset] if preset else {}),
    }
    chosen = _settings_of(base, settings)
    from contrawarp_edge.inputs.others import say_others
    from lightly_contrawarp.models.health import DivergedError
    from lightly_contrawarp.training.pretrain import is_first_process, pretrain
    from lightly_contrawarp.training.run_folder import LAST

    if is_first_process() and not chosen.align:
        _warn_of_framing(folder)
    try:
        result = pretrain(
            folder,
            out,
            chosen,
            epochs=epochs,
            workers=workers,
            devices=devices,
            resume=resume,
            views=views,
            compiled=compiled,
            on_guidance=lambda guidance: click.echo(_say_guidance(guidance), err=True),
        )
    except DivergedError as error:
        raise InputError(_after_divergence(out / LAST)) from error
    if not is_first_process():
        return
    scan = result.scan
    click.echo(f"{result.checkpoint}: trained on {len(scan.paths):,} images")
    if result.no_head:
        text = f"no embedding head: {result.no_head}"
        click.echo(printable(text), err=True)
    if text := say_others(scan.others, _VIDEO_HINT):
        click.echo(printable(text), err=True)
    if scan.skipped:
        click.echo(
            f"{len(scan.skipped):,} files skipped, the first: "
            f"{printable(scan.skipped[0])}; all of them in {result.skipped_list}",
            err=True,
        )
        raise SystemExit(EXIT_SKIPPED)


def _settings_of_run(out: Path) -> Mapping[str, Any]:
    from lightly_contrawarp.training.run_folder import SETTINGS, read_settings

    return read_settings(out) if (out / SETTINGS).exists() else {}


def _settings_of(base: Mapping[str, Any], given: Mapping[str, Any]) -> PretrainSettings:
    """Settings from options, those that the user did not type from elsewhere.

    What is wrong with them is said in options' names.
    """
    source = click.get_current_context().get_parameter_source
    typed = {
        name: value
        for name, value in given.items()
        if source(name) is not ParameterSource.DEFAULT
    }
    try:
        return PretrainSettings(**{**base, **typed})
    except InputError as error:
        text = re.sub(
            r"\w+",
            lambda word: option_name(word[0]) if word[0] in given else word[0],
            str(error),
        )
        raise InputError(text) from error


def _say_guidance(guidance: Guidance) -> str:
    said = []
    if guidance.guided is not None:
        said.append(f"own landmarks place the warps of {guidance.guided:,}")
    if guidance.paired is not None:
        said.append(f"second views show a neighbouring frame for {guidance.paired:,}")
    images = len(guidance.landmarks)
    return printable(f"{guidance.table}: {' and '.join(said)} of {images:,} images")


def _after_divergence(last: Path) -> str:
    kept = "no checkpoint was written"
    if last.exists():
        kept = f"{last} is that of the last good epoch"
    return (
        f"training has diverged, weights are no longer finite numbers; {kept}; start "
        "again with a lower --lr, a higher --temperature or another --precision, and "
        "another --out"
    )


def _warn_of_framing(folder: Path) -> None:
    from contrawarp_edge.align.crop import FACE_CROP
    from contrawarp_edge.align.framing import framing_warning
    from contrawarp_edge.inputs.images import iter_images

    paths = list(iter_images(folder)) if folder.is_dir() else []
    if text := framing_warning(paths, len(paths), FACE_CROP):
        click.echo(f"Warning: {text}", err=True)
