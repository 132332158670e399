"""``contrawarp-edge index``."""

from __future__ import annotations

from pathlib import Path

import click

from contrawarp_edge.cli.options import FILE, Steps
from contrawarp_edge.core.command import CleanCommand
from contrawarp_edge.core.text import printable
from contrawarp_edge.gallery.ann.ann_index import MIN_ROWS, RECALL_K
from contrawarp_edge.gallery.ann.build import build


@click.command("index", cls=CleanCommand)
@click.argument("gallery", type=FILE)
@click.option(
    "--lists",
    type=click.IntRange(min=1),
    help="Cells to divide the images into. [default: 4 x the root of their number]",
)
def index_command(gallery: Path, lists: int | None) -> None:
    """Build an index for approximate search in a large gallery.

    Searches go on meanwhile. Images that are embedded later are searched exactly, until
    a tenth of all has changed; then the index is not used any more. `embed` and `watch`
    say when a new one would pay.
    """
    steps = Steps()
    facts = build(gallery, lists=lists, on_progress=steps)
    steps.clear()
    click.echo(
        f"{printable(gallery)}: {facts.rows:,} images in {facts.lists:,} cells, of "
        f"which {facts.probes} are searched; finds {facts.recall:.1%} of the "
        f"{RECALL_K} nearest; {facts.size / 1e6:,.0f} MB"
    )
    if facts.rows < MIN_ROWS:
        click.echo(f"not used below {MIN_ROWS:,} images: exact search is quick enough")
