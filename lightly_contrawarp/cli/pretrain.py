"""``contrawarp pretrain``."""

from __future__ import annotations

from pathlib import Path

import click

from contrawarp_edge.cli_errors import EXIT_SKIPPED


@click.command("pretrain")
@click.argument("folder", type=click.Path(path_type=Path))
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    required=True,
    help="Folder for last.ckpt, settings, logs and the list of skipped files.",
)
@click.option("--backbone", default="resnet18", help="Torchvision model name.")
@click.option("--epochs", default=100, type=click.IntRange(1))
@click.option("--batch-size", default=128, type=click.IntRange(2))
@click.option("--input-size", default=112, type=click.IntRange(16), help="In pixels.")
@click.option("--num-negatives", default=3, type=click.IntRange(0), help="0 is BYOL.")
@click.option(
    "--paired/--unpaired",
    default=True,
    help="Whether each warped face comes in two views.",
)
@click.option("--positive-weight", default=1.0, type=click.FloatRange(0))
@click.option("--negative-weight", default=5.0, type=click.FloatRange(0))
@click.option("--temperature", default=0.1, type=click.FloatRange(0, min_open=True))
@click.option("--lr", default=1e-3, type=click.FloatRange(0, min_open=True))
@click.option(
    "--precision",
    default="32-true",
    type=click.Choice(["32-true", "bf16-mixed", "16-mixed"]),
)
@click.option(
    "--channels-last", is_flag=True, help="Faster for MobileNets on a CPU, and on GPUs."
)
@click.option("--workers", default=2, type=click.IntRange(0), help="View processes.")
@click.option("--devices", default=1, type=click.IntRange(1), help="GPUs to train on.")
@click.option("--seed", default=0, type=click.IntRange(0))
@click.option("--resume", is_flag=True, help="Go on from OUT/last.ckpt.")
@click.option(
    "--commercial-use",
    default="unknown",
    type=click.Choice(["unknown", "yes", "no"]),
    help="What the licence of the images allows; kept with the model.",
)
def pretrain_command(
    folder: Path,
    out: Path,
    epochs: int,
    workers: int,
    devices: int,
    resume: bool,
    **settings: object,
) -> None:
    """Train an encoder on the images below FOLDER, without labels.

    Exit code 3 means that the run is complete but files were skipped.
    """
    from lightly_contrawarp.training import LAST, PretrainSettings, pretrain

    scan = pretrain(
        folder,
        out,
        PretrainSettings(**settings),  # type: ignore[arg-type]
        epochs=epochs,
        workers=workers,
        devices=devices,
        resume=resume,
    )
    click.echo(f"{out / LAST}: trained on {len(scan.paths):,} images")
    if scan.skipped:
        click.echo(
            f"{len(scan.skipped):,} unreadable files skipped, the first: "
            f"{scan.skipped[0]}; all of them in {out / 'skipped.tsv'}",
            err=True,
        )
        raise SystemExit(EXIT_SKIPPED)
