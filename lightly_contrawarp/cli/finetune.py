"""``contrawarp finetune``."""

from __future__ import annotations

from pathlib import Path

import click

from contrawarp_edge.core.command import EXIT_SKIPPED, FiniteRange
from contrawarp_edge.core.errors import InputError
from contrawarp_edge.core.text import printable
from lightly_contrawarp.cli.option_types import SEED

_PATH = click.Path(path_type=Path)


@click.command("finetune", context_settings={"show_default": True})
@click.argument("checkpoint", type=_PATH)
@click.option(
    "--data",
    metavar="SPEC",
    required=True,
    help="Folder of CLASS/*.jpg, or NAME=PATH of a set, whose train split is used.",
)
@click.option(
    "--out", type=_PATH, required=True, help="Folder for best.ckpt, last.ckpt and logs."
)
@click.option("--epochs", default=30, type=click.IntRange(1))
@click.option(
    "--patience",
    default=5,
    type=click.IntRange(1),
    help="Stop after so many epochs that are no better on held-out images.",
)
@click.option("--lr", default=0.05, type=FiniteRange(0, min_open=True))
@click.option("--batch-size", default=64, type=click.IntRange(2))
@click.option("--label-smoothing", default=0.1, type=FiniteRange(0, 1, max_open=True))
@click.option("--workers", default=2, type=click.IntRange(0), help="Image processes.")
@click.option("--seed", type=SEED, default=0)
@click.option("--resume", is_flag=True, help="Go on from OUT/last.ckpt.")
def finetune_command(
    checkpoint: Path,
    data: str,
    out: Path,
    epochs: int,
    patience: int,
    lr: float,
    batch_size: int,
    label_smoothing: float,
    workers: int,
    seed: int,
    resume: bool,
) -> None:
    """Train the encoder of CHECKPOINT further, on labels.

    A classifier learns together with it. What comes out is evaluated and exported as
    CHECKPOINT is; exported, it returns probabilities of the classes too. A tenth of
    the images is held out to stop in time.

    Exit code 3 means that the run is complete but images were left out.
    """
    from lightly_contrawarp.cli.datasets import open_labels
    from lightly_contrawarp.models.health import DivergedError
    from lightly_contrawarp.training.fine_tuning.run import FinetuneSettings, finetune

    settings = FinetuneSettings(
        lr=lr,
        batch_size=batch_size,
        label_smoothing=label_smoothing,
        patience=patience,
        seed=seed,
    )
    try:
        result = finetune(
            *(checkpoint, open_labels(data), out, settings),
            epochs=epochs,
            workers=workers,
            resume=resume,
        )
    except DivergedError as error:
        raise InputError(f"{error}; give a lower --lr, and another --out") from error
    facts = result.facts
    click.echo(
        f"{result.checkpoint}: {100 * facts.accuracy:.1f} % of {facts.held_out:,} "
        f"held-out images right, calibration error {facts.calibration_error:.3f}"
    )
    if result.unreadable:
        click.echo(
            f"{len(result.unreadable):,} unreadable images left out, the first: "
            f"{printable(result.unreadable[0])}",
            err=True,
        )
        raise SystemExit(EXIT_SKIPPED)
