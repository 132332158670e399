"""``contrawarp evaluate``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from contrawarp_edge.cli_errors import EXIT_SKIPPED
from contrawarp_edge.errors import InputError

_PATH = click.Path(path_type=Path)
_TEST_NAMES = ("validation", "test", "val")


@click.command("evaluate")
@click.argument("checkpoint", type=_PATH)
@click.option("--train", type=_PATH, help="Folder of CLASS/*.jpg to learn from.")
@click.option("--test", type=_PATH, help="Folder of CLASS/*.jpg to be scored on.")
@click.option(
    "--data", type=_PATH, help="Folder that holds train/ and validation/ or test/."
)
@click.option(
    "--random-init",
    is_flag=True,
    help="Score an untrained encoder of the same architecture too.",
)
@click.option("--json", "json_path", type=_PATH, help="File for all the results.")
@click.option("--batch-size", default=256, type=click.IntRange(1))
@click.option("--workers", default=2, type=click.IntRange(0), help="Image processes.")
@click.option(
    "--seed",
    "seeds",
    type=click.IntRange(0),
    multiple=True,
    default=(0, 1, 2),
    help="Seed of the linear probe; repeat it to average over several.",
)
@click.option(
    "--device", default="auto", type=click.Choice(["auto", "cpu", "cuda", "mps"])
)
def evaluate_command(
    checkpoint: Path,
    train: Path | None,
    test: Path | None,
    data: Path | None,
    random_init: bool,
    json_path: Path | None,
    batch_size: int,
    workers: int,
    seeds: tuple[int, ...],
    device: str,
) -> None:
    """Score the frozen features of CHECKPOINT on labelled images.

    A linear probe and nearest neighbours learn from one folder and are scored on
    another. A folder holds one sub-folder for each expression, such as happy/*.jpg.

    Exit code 3 means that the result is complete but images were left out.
    """
    from lightly_contrawarp.evaluation.compare import evaluate_checkpoint
    from lightly_contrawarp.evaluation.evaluate import format_table
    from lightly_contrawarp.files import atomic_write_text

    train, test = _folders(train, test, data)
    if json_path and not json_path.absolute().parent.is_dir():
        raise InputError(f"{json_path}: its folder does not exist; create it first")
    results = evaluate_checkpoint(
        checkpoint,
        train,
        test,
        random_init=random_init,
        batch_size=batch_size,
        workers=workers,
        device=device,
        seeds=seeds,
    )
    click.echo(format_table(results))
    if json_path:
        report = {"checkpoint": str(checkpoint), "encoders": results}
        atomic_write_text(json_path, json.dumps(report, indent=2) + "\n")
    unreadable = _unreadable(next(iter(results.values())))
    if unreadable:
        click.echo(
            f"{len(unreadable):,} unreadable images left out, the first: "
            f"{unreadable[0]}; --json lists all of them",
            err=True,
        )
        raise SystemExit(EXIT_SKIPPED)


def _folders(
    train: Path | None, test: Path | None, data: Path | None
) -> tuple[Path, Path]:
    if data is not None:
        train = train or data / "train"
        test = test or _test_folder(data)
    if train is None or test is None:
        raise InputError("give --train and --test, or --data with both parts in it")
    return train, test


def _test_folder(data: Path) -> Path:
    if not data.is_dir():
        raise InputError(f"{data}: no such folder")
    found = [name for name in _TEST_NAMES if (data / name).is_dir()]
    if not found:
        raise InputError(f"{data}: holds none of {', '.join(_TEST_NAMES)}; use --test")
    if len(found) > 1:
        raise InputError(f"{data}: holds {' and '.join(found)}; choose with --test")
    return data / found[0]


def _unreadable(result: dict[str, Any]) -> list[str]:
    return [line for part in ("train", "test") for line in result[part]["unreadable"]]
