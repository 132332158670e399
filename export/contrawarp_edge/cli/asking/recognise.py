"""``contrawarp-edge recognise``."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import click

from contrawarp_edge.align.rules import aligner_for
from contrawarp_edge.cli.asking.faces import as_json, as_table, csv_rows
from contrawarp_edge.cli.filling.batch_reporter import BatchReporter
from contrawarp_edge.cli.options import (
    FILE,
    every_option,
    list_options,
    nothing_found,
    say_passed_over,
    sort_option,
    top_option,
)
from contrawarp_edge.core.command import EXIT_SKIPPED, CleanCommand
from contrawarp_edge.core.errors import InputError, NotApplicableError
from contrawarp_edge.core.files import atomic_write_text
from contrawarp_edge.gallery.ranking import check_class, ranked
from contrawarp_edge.gallery.records import Record
from contrawarp_edge.ingest.embed import Outcome
from contrawarp_edge.inputs.sources import Sources
from contrawarp_edge.model.embedder import Embedder
from contrawarp_edge.pages.faces import render


@click.command("recognise", cls=CleanCommand)
@click.argument("model", type=FILE)
@click.argument("images", type=FILE, nargs=-1)
@list_options
@every_option
@click.option("--align", is_flag=True, help="Cut the largest face out first.")
@sort_option
@top_option
@click.option("--json", "is_json", is_flag=True, help="Print JSON.")
@click.option("--csv", "csv_file", type=FILE, help="Write CSV.")
@click.option("--html", type=FILE, help="Write a page with the pictures.")
@click.pass_context
def recognise_command(
    ctx: click.Context,
    model: Path,
    images: tuple[Path, ...],
    lists: tuple[Path, ...],
    null: bool,
    every: float | None,
    align: bool,
    sort: str | None,
    top: int,
    is_json: bool,
    csv_file: Path | None,
    html: Path | None,
) -> None:
    """Recognise the expressions in IMAGES, files, whole folders or quoted patterns.

    The model needs classes, which `contrawarp-export --labels` gives it. Exit code 3
    means that some images were skipped.
    """
    embedder = Embedder(model)
    classes = embedder.info.classes
    if not classes:
        raise NotApplicableError(
            f"{model}: has no classes to recognise; export it with --labels"
        )
    if sort is not None:
        check_class(sort, embedder.info)
    sources = Sources(images, lists, null=null, every=every)
    total = sources.count()
    if total == 0:
        raise nothing_found(sources)
    records, outcome = _recognised(embedder, sources, total, align)
    if not outcome.done:
        raise nothing_found(sources)
    say_passed_over(sources)
    if not records:
        raise InputError(f"none of the {outcome.done} images could be used")
    records = ranked(records, embedder.info, sort=sort)
    if csv_file:
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows(csv_rows(records, classes))
        atomic_write_text(csv_file, text.getvalue())
    if html:
        atomic_write_text(html, render(records, model, sort=sort))
    click.echo(as_json(records) if is_json else as_table(records, top))
    if outcome.failed:
        ctx.exit(EXIT_SKIPPED)


def _recognised(
    embedder: Embedder, sources: Sources, total: int | None, align: bool
) -> tuple[list[Record], Outcome]:
    """What the model makes of the images, and what became of all of them."""
    records: list[Record] = []
    outcome, report = Outcome(), BatchReporter(total)
    prepare = aligner_for(embedder.info) if align else None
    classes = embedder.info.classes
    for batch in embedder.embed_files(sources, every=sources.every, prepare=prepare):
        rows = (batch.paths, batch.sha256, batch.embeddings, batch.scores.tolist())
        records += [
            Record(str(path), sha256, row, scores=dict(zip(classes, some, strict=True)))
            for path, sha256, row, some in zip(*rows, strict=True)
        ]
        outcome.embedded += len(batch.paths)
        outcome.failed += batch.failed
        report(outcome)
    report.clear()
    return records, outcome
