"""``contrawarp-edge watch``."""

from __future__ import annotations

import signal
from collections import Counter
from pathlib import Path

import click

from contrawarp_edge.cli.filling.batch_reporter import BatchReporter
from contrawarp_edge.cli.options import (
    FILE,
    align_option,
    describer,
    every_option,
    identity_option,
    metadata_option,
    say_of_index,
)
from contrawarp_edge.core.command import CleanCommand, FiniteRange
from contrawarp_edge.core.errors import InputError, NotFoundError
from contrawarp_edge.core.text import printable
from contrawarp_edge.gallery.gallery import Gallery
from contrawarp_edge.ingest.embed import Outcome
from contrawarp_edge.ingest.metadata_file import MetadataFile
from contrawarp_edge.ingest.prune import Pruned
from contrawarp_edge.ingest.watch import Watcher
from contrawarp_edge.inputs.others import say_others
from contrawarp_edge.inputs.sources import Sources
from contrawarp_edge.model.embedder import Embedder


@click.command("watch", cls=CleanCommand)
@click.argument("model", type=FILE)
@click.argument("folders", type=FILE, nargs=-1, required=True)
@click.option(
    "--gallery", type=FILE, required=True, help="File to write or bring up to date."
)
@click.option(
    "--interval",
    type=FiniteRange(min=0.05),
    default=2.0,
    show_default=True,
    help="Seconds between two looks.",
)
@every_option
@align_option
@metadata_option
@identity_option
def watch_command(
    model: Path,
    folders: tuple[Path, ...],
    gallery: Path,
    interval: float,
    every: float | None,
    align: bool | None,
    metadata: Path | None,
    identity_pattern: str | None,
) -> None:
    """Keep a gallery in step with FOLDERS until Ctrl-C.

    New and changed images are embedded once they have not changed from one look to the
    next; those that were moved or renamed keep what is known of them. Images whose
    files are gone are dropped. A folder that is missing or empty is taken for a disk
    that is away: nothing is dropped then, nor what cannot be looked at.
    """
    for folder in folders:
        if not folder.is_dir():
            raise NotFoundError(f"{folder}: no such folder")
    if not gallery.parent.is_dir():
        raise NotFoundError(f"{gallery}: its folder does not exist")
    embedder = Embedder(model)
    if gallery.exists():
        with Gallery.open(gallery) as opened:
            opened.check_model(embedder.info)
    table = MetadataFile(metadata) if metadata else None
    watcher = Watcher(
        gallery,
        embedder,
        Sources(folders, every=every),
        describer(table, identity_pattern),
        BatchReporter,
        align,
    )
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # as Ctrl-C
    click.echo(f"watching {', '.join(map(printable, folders))}; Ctrl-C ends", err=True)
    try:
        watcher.run(interval, _Reporter(watcher), _say_problem)
    except KeyboardInterrupt:
        click.echo("ended", err=True)
        say_of_index(gallery)


def _say_problem(error: InputError) -> None:
    click.echo(f"Error: {printable(error)}; trying again", err=True)


class _Reporter:
    """Says what a poll brought, and what was not said the time before."""

    def __init__(self, watcher: Watcher) -> None:
        self._watcher = watcher
        self._others = Counter[str]()
        self._doubts: list[str] = []

    def __call__(self, outcome: Outcome, pruned: Pruned) -> None:
        if outcome.done or pruned.gone:
            click.echo(f"{outcome}, {len(pruned.gone)} gone")
        doubts = pruned.doubts()
        for line in doubts:
            if line not in self._doubts:
                click.echo(printable(line), err=True)
        self._doubts = doubts or self._doubts
        if self._others != self._watcher.others:
            self._others = self._watcher.others
            if text := say_others(self._others):
                click.echo(printable(text), err=True)
