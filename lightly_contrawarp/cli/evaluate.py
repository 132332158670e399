"""``contrawarp evaluate``."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import click

from contrawarp_edge.core.command import EXIT_SKIPPED, FiniteRange
from contrawarp_edge.core.errors import InputError
from contrawarp_edge.core.text import printable
from lightly_contrawarp.cli.option_types import SEED

_PATH = click.Path(path_type=Path)


@click.command("evaluate", context_settings={"show_default": True})
@click.argument("models", type=_PATH, nargs=-1, required=True, metavar="MODEL...")
@click.option(
    "--data",
    metavar="SPEC",
    help="Labelled set: NAME=PATH, or a folder with train/ and validation/ or test/.",
)
@click.option(
    "--part",
    type=click.Choice(["validation", "test"]),
    help="What to be scored on, if the set has both.",
)
@click.option("--train", type=_PATH, help="Folder of CLASS/*.jpg to learn from.")
@click.option("--test", type=_PATH, help="Folder of CLASS/*.jpg to be scored on.")
@click.option(
    "--search",
    multiple=True,
    metavar="[NAME=]FOLDER",
    help="Folder of CLASS/*.jpg that is only searched, among other people; repeat it.",
)
@click.option(
    "--identity-pattern",
    metavar="REGEX",
    help="Its group finds in a path who the image shows; for plain folders.",
)
@click.option(
    "--fec",
    type=(_PATH, _PATH),
    metavar="CSV IMAGES",
    help="Triplets of Google's facial expression comparisons, and their photos.",
)
@click.option(
    "--random-init",
    is_flag=True,
    help="Score untrained encoders of the same architecture too.",
)
@click.option(
    "--features",
    default="exported",
    type=click.Choice(["exported", "pooled", "spatial"]),
    help="Of a checkpoint: what is exported of it, the encoder's pooled output, or a "
    "coarse grid of its last feature map.",
)
@click.option("--few-label", is_flag=True, help="Probe with 1 % and 10 % of labels.")
@click.option("--finetune", is_flag=True, help="Train the whole network too; long.")
@click.option("--finetune-epochs", default=30, type=click.IntRange(1))
@click.option("--finetune-lr", default=0.05, type=FiniteRange(0, min_open=True))
@click.option("--json", "json_path", type=_PATH, help="File for all the results.")
@click.option("--html", "html_path", type=_PATH, help="File for a page to look at.")
@click.option("--cache", type=_PATH, help="Folder that keeps features between runs.")
@click.option("--batch-size", default=256, type=click.IntRange(1))
@click.option("--workers", default=2, type=click.IntRange(0), help="Image processes.")
@click.option(
    "--seed",
    "seeds",
    type=SEED,
    multiple=True,
    default=(0, 1, 2),
    help="Seed of the linear probe; repeat it to average over several.",
)
@click.option(
    "--device", default="auto", type=click.Choice(["auto", "cpu", "cuda", "mps"])
)
def evaluate_command(
    models: tuple[Path, ...],
    data: str | None,
    part: str | None,
    train: Path | None,
    test: Path | None,
    search: tuple[str, ...],
    identity_pattern: str | None,
    fec: tuple[Path, Path] | None,
    random_init: bool,
    features: Any,
    few_label: bool,
    finetune: bool,
    finetune_epochs: int,
    finetune_lr: float,
    json_path: Path | None,
    html_path: Path | None,
    cache: Path | None,
    batch_size: int,
    workers: int,
    seeds: tuple[int, ...],
    device: str,
) -> None:
    """Score the features of each MODEL on labelled images.

    A MODEL is a checkpoint of contrawarp pretrain or an .onnx file of
    contrawarp-export. Probes learn from one part of the set and are scored on another;
    the images of that other part are searched with each other. Sets of --search are
    only searched; without --data there are no probes.

    Exit code 3 means that the result is complete but images were left out.
    """
    for path in (json_path, html_path):
        _check_output(path)
    if part and not data:
        raise InputError("--part chooses a split of --data; give --data")
    probed = bool(data or train or test or not search)
    if not probed and (few_label or finetune or fec):
        raise InputError("--few-label, --finetune and --fec need a set: give --data")
    from contrawarp_edge.core.files import atomic_write_text
    from lightly_contrawarp.cli.datasets import open_searched, open_sets
    from lightly_contrawarp.data.sets import read_fec_triplets
    from lightly_contrawarp.evaluation.compare import compare
    from lightly_contrawarp.evaluation.encoders.feature_cache import FeatureCache
    from lightly_contrawarp.evaluation.encoders.opening import open_encoders
    from lightly_contrawarp.evaluation.progress import EvaluationProgress
    from lightly_contrawarp.evaluation.results import format_tables
    from lightly_contrawarp.evaluation.settings import (
        EvaluationSettings,
        FineTuneSettings,
    )

    tuning = FineTuneSettings(epochs=finetune_epochs, lr=finetune_lr)
    settings = EvaluationSettings(
        batch_size=batch_size,
        workers=workers,
        seeds=seeds,
        few_label=few_label,
        fine_tuning=tuning if finetune else None,
    )
    features_cache = FeatureCache(cache) if cache else None
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UserWarning)
        searched = open_searched(search, identity_pattern)
        train_set, test_set = (
            open_sets(
                *(data, part, train, test, identity_pattern), lenient=bool(searched)
            )
            if probed
            else (None, None)
        )
        triplets = read_fec_triplets(*fec) if fec else None
    for warning in caught:
        click.echo(f"Warning: {warning.message}", err=True)
    encoders = open_encoders(
        models,
        random_init=random_init,
        features=features,
        device=device,
        seed=seeds[0],
        training=train_set,
        batch_size=batch_size,
        workers=workers,
    )
    comparison = compare(
        encoders,
        train_set,
        test_set,
        settings,
        searched=searched,
        triplets=triplets,
        cache=features_cache,
        progress=EvaluationProgress(),
    )
    results = comparison.results
    click.echo(format_tables(results.encoders))
    if results.data and results.data.overlap:
        click.echo(results.data.overlap.words, err=True)
    if json_path:
        text = json.dumps(results.to_dict(), indent=2, allow_nan=False)
        atomic_write_text(json_path, text + "\n")
    if html_path:
        from lightly_contrawarp.evaluation.report import render_report

        atomic_write_text(html_path, render_report(comparison))
    for name, result in results.encoders.items():
        omitted = [(name, result.omitted)]
        omitted += [(f"{name}, {x}", y.omitted) for x, y in result.searched.items()]
        for where, reasons in omitted:
            for measure, reason in reasons.items():
                what = measure.replace("_", " ")
                click.echo(f"{where}: no {what}: {reason}", err=True)
    if unreadable := results.unreadable:
        click.echo(
            f"{len(unreadable):,} unreadable images left out, the first: "
            f"{printable(unreadable[0])}; --json lists all of them",
            err=True,
        )
        raise SystemExit(EXIT_SKIPPED)


def _check_output(path: Path | None) -> None:
    if path is None:
        return
    if path.is_dir():
        raise InputError(f"{path}: is a folder; give a file")
    if not path.absolute().parent.is_dir():
        raise InputError(f"{path}: its folder does not exist; create it first")
