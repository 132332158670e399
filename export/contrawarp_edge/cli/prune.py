"""``contrawarp-edge prune``."""

from __future__ import annotations

from pathlib import Path

import click

from contrawarp_edge.cli.options import FILE
from contrawarp_edge.cli_errors import CleanCommand, printable
from contrawarp_edge.gallery import Gallery
from contrawarp_edge.pruning import prune


@click.command("prune", cls=CleanCommand)
@click.argument("gallery", type=FILE)
@click.argument("folders", type=FILE, nargs=-1)
@click.option("--dry-run", is_flag=True, help="Only list what would go.")
@click.option("--force", is_flag=True, help="Go on even if no file at all is there.")
def prune_command(
    gallery: Path, folders: tuple[Path, ...], dry_run: bool, force: bool
) -> None:
    """Drop images whose files are gone from a gallery.

    With FOLDERS, only images below them, named as they were for `embed`. Relative
    paths are looked up from the current folder.
    """
    with Gallery.open(gallery, readonly=dry_run) as opened:
        result = prune(opened, folders, dry_run=dry_run, force=force)
    if dry_run:
        for path in result.gone:
            click.echo(printable(path))
    word = "would go" if dry_run else "gone"
    click.echo(
        f"{printable(gallery)}: {result.kept} kept, {len(result.gone)} {word}",
        err=dry_run,
    )
