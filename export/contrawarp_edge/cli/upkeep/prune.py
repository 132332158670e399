"""``contrawarp-edge prune``."""

from __future__ import annotations

from pathlib import Path

import click

from contrawarp_edge.cli.options import FILE
from contrawarp_edge.core.command import EXIT_SKIPPED, CleanCommand
from contrawarp_edge.core.text import printable
from contrawarp_edge.gallery.gallery import Gallery
from contrawarp_edge.ingest.prune import prune


@click.command("prune", cls=CleanCommand)
@click.argument("gallery", type=FILE)
@click.argument("folders", type=FILE, nargs=-1)
@click.option("--dry-run", is_flag=True, help="Only list what would go.")
@click.option(
    "--force", is_flag=True, help="Missing and empty folders are gone, even all."
)
@click.pass_context
def prune_command(
    ctx: click.Context,
    gallery: Path,
    folders: tuple[Path, ...],
    dry_run: bool,
    force: bool,
) -> None:
    """Drop images whose files are gone from a gallery.

    With FOLDERS, only images below them. An image is kept and named if nobody can tell
    whether its file is gone: for want of permission, or because its whole folder is
    missing or empty, as that of a disk that is away. Below FOLDERS that are there, a
    missing folder was removed. Exit code 3 means that some were kept so.
    """
    with Gallery.open(gallery, readonly=dry_run) as opened:
        result = prune(opened, folders, dry_run=dry_run, force=force)
    if dry_run:
        for path in result.gone:
            click.echo(printable(path))
    for line in result.doubts():
        click.echo(printable(line), err=True)
    word = "would go" if dry_run else "gone"
    kept = result.kept + result.unsure.total()
    click.echo(
        f"{printable(gallery)}: {kept} kept, {len(result.gone)} {word}", err=dry_run
    )
    if result.unsure:
        ctx.exit(EXIT_SKIPPED)
