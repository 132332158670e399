"""``contrawarp-edge embed``."""

from __future__ import annotations

import json
from pathlib import Path

import click

from contrawarp_edge.cli.options import FILE
from contrawarp_edge.cli_errors import EXIT_SKIPPED, CleanCommand, printable
from contrawarp_edge.embedder import Embedder
from contrawarp_edge.errors import InputError
from contrawarp_edge.indexing import Outcome, embed_into, find_images
from contrawarp_edge.progress import Progress


@click.command("embed", cls=CleanCommand)
@click.argument("model", type=FILE)
@click.argument("images", type=FILE, nargs=-1, required=True)
@click.option(
    "--gallery", type=FILE, required=True, help="File to write or bring up to date."
)
@click.option("--report", type=FILE, help="Write what was done and skipped as JSON.")
@click.pass_context
def embed_command(
    ctx: click.Context,
    model: Path,
    images: tuple[Path, ...],
    gallery: Path,
    report: Path | None,
) -> None:
    """Embed IMAGES, files or whole folders, into a gallery.

    Images that the gallery knows are passed over, so that an interrupted run is
    continued by repeating it. Exit code 3 means that some images were skipped.
    """
    paths = find_images(images)
    embedder = Embedder(model)
    progress = Progress(len(paths))
    listed = 0

    def on_batch(outcome: Outcome) -> None:
        nonlocal listed
        if outcome.failed[listed:]:
            progress.clear()
        for path, reason in outcome.failed[listed:]:
            click.echo(f"skipped {printable(f'{path}: {reason}')}", err=True)
        listed = len(outcome.failed)
        progress.update(outcome.done)

    outcome = embed_into(gallery, embedder, paths, on_batch)
    progress.clear()
    if report:
        _write_report(report, gallery, model, outcome)
    if outcome.done == len(outcome.failed):
        raise InputError(f"none of the {outcome.done} images could be used")
    click.echo(
        f"{printable(gallery)}: {outcome.embedded} embedded, "
        f"{outcome.unchanged} unchanged, {len(outcome.failed)} skipped"
    )
    if outcome.failed:
        ctx.exit(EXIT_SKIPPED)


def _write_report(report: Path, gallery: Path, model: Path, outcome: Outcome) -> None:
    facts = {
        "gallery": str(gallery),
        "model": str(model),
        "embedded": outcome.embedded,
        "unchanged": outcome.unchanged,
        "skipped": [
            {"path": str(path), "reason": reason} for path, reason in outcome.failed
        ],
    }
    report.write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")
