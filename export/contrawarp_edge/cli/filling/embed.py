"""``contrawarp-edge embed``."""

from __future__ import annotations

import json
from pathlib import Path

import click

from contrawarp_edge.align.crop import CropContract
from contrawarp_edge.align.framing import framing_warning
from contrawarp_edge.cli.filling.batch_reporter import BatchReporter
from contrawarp_edge.cli.options import (
    FILE,
    align_option,
    describer,
    every_option,
    identity_option,
    list_options,
    metadata_option,
    nothing_found,
    say_of_index,
    say_passed_over,
)
from contrawarp_edge.core.command import EXIT_SKIPPED, CleanCommand
from contrawarp_edge.core.errors import InputError
from contrawarp_edge.core.files import atomic_write_text
from contrawarp_edge.core.text import printable
from contrawarp_edge.gallery.gallery import Gallery
from contrawarp_edge.ingest.embed import Outcome, embed_into
from contrawarp_edge.ingest.metadata_file import MetadataFile
from contrawarp_edge.inputs.sources import Sources
from contrawarp_edge.model.embedder import Embedder


@click.command("embed", cls=CleanCommand)
@click.argument("model", type=FILE)
@click.argument("images", type=FILE, nargs=-1)
@click.option(
    "--gallery", type=FILE, required=True, help="File to write or bring up to date."
)
@list_options
@every_option
@align_option
@metadata_option
@identity_option
@click.option("--report", type=FILE, help="Write what was done and skipped as JSON.")
@click.pass_context
def embed_command(
    ctx: click.Context,
    model: Path,
    images: tuple[Path, ...],
    gallery: Path,
    lists: tuple[Path, ...],
    null: bool,
    every: float | None,
    align: bool | None,
    metadata: Path | None,
    identity_pattern: str | None,
    report: Path | None,
) -> None:
    """Embed IMAGES, files, whole folders or quoted patterns, into a gallery.

    Images that the gallery knows are passed over, so that an interrupted run is
    continued by repeating it. Images that were moved or renamed keep what is known of
    them. Exit code 3 means that some images were skipped.
    """
    sources = Sources(images, lists, null=null, every=every)
    table = MetadataFile(metadata) if metadata else None
    describe = describer(table, identity_pattern)
    embedder = Embedder(model)
    total = sources.count()
    if total == 0:
        raise nothing_found(sources)
    if not align and not _is_aligned(gallery):
        _warn_of_framing(sources, total, embedder)
    report_batch = BatchReporter(total)
    outcome = embed_into(
        gallery,
        embedder,
        sources,
        report_batch,
        every=every,
        describe=describe,
        align=align,
    )
    report_batch.clear()
    if report:
        _write_report(report, gallery, model, sources, outcome)
    if not outcome.done:
        raise nothing_found(sources)
    say_passed_over(sources)
    if outcome.done == len(outcome.failed):
        raise InputError(f"none of the {outcome.done} images could be used")
    click.echo(f"{printable(gallery)}: {outcome}")
    if metadata or identity_pattern:
        click.echo(f"metadata for {outcome.described} of {outcome.done} images")
    say_of_index(gallery)
    if outcome.failed:
        ctx.exit(EXIT_SKIPPED)


def _is_aligned(gallery: Path) -> bool:
    if not gallery.exists():
        return False
    with Gallery.open(gallery, readonly=True) as opened:
        return opened.aligned


def _warn_of_framing(sources: Sources, total: int | None, embedder: Embedder) -> None:
    if total is None:  # the list can be read once only
        return
    try:
        contract = CropContract.from_dict(embedder.info.crop)
    except InputError:  # models of other makers may not say it
        return
    if text := framing_warning(sources, total, contract):
        click.echo(f"Warning: {text}", err=True)


def _write_report(
    report: Path, gallery: Path, model: Path, sources: Sources, outcome: Outcome
) -> None:
    facts = {
        "gallery": str(gallery),
        "model": str(model),
        "embedded": outcome.embedded,
        "unchanged": outcome.unchanged,
        "moved": outcome.moved,
        "copied": outcome.copied,
        "skipped": [
            {"path": str(path), "reason": reason} for path, reason in outcome.failed
        ],
        "not_looked_at": dict(sources.others),
    }
    atomic_write_text(report, json.dumps(facts, indent=2) + "\n")
