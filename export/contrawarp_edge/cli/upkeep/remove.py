"""``contrawarp-edge remove``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from contrawarp_edge.cli.options import FILE
from contrawarp_edge.core.command import EXIT_SKIPPED, CleanCommand
from contrawarp_edge.core.errors import InputError
from contrawarp_edge.core.text import printable
from contrawarp_edge.gallery.conditions import parse_condition
from contrawarp_edge.gallery.gallery import Gallery


@click.command("remove", cls=CleanCommand)
@click.argument("gallery", type=FILE)
@click.option("--id", "ids", type=click.IntRange(min=1), multiple=True, metavar="N")
@click.option(
    "--path",
    "paths",
    multiple=True,
    metavar="P",
    help="As `search` shows it, or a video for all of its frames.",
)
@click.option(
    "--where",
    multiple=True,
    metavar="CONDITION",
    help="On metadata, as for `search`. Several have to be true together.",
)
@click.option("--dry-run", is_flag=True, help="Only list what would go.")
@click.pass_context
def remove_command(
    ctx: click.Context,
    gallery: Path,
    ids: tuple[int, ...],
    paths: tuple[str, ...],
    where: tuple[str, ...],
    dry_run: bool,
) -> None:
    """Erase images from a gallery: all that --id, --path or --where names.

    Nothing is left of them in the gallery and the files beside it. Photos stay where
    they are, except for those that clients of `serve` added. Exit code 3 means that an
    id or path is none of the gallery.
    """
    if not (ids or paths or where):
        raise InputError("name images with --id, --path or --where")
    conditions = [parse_condition(text) for text in where]
    with Gallery.open(gallery, readonly=dry_run) as opened:
        keys: list[int | str] = [*ids, *paths]
        found = {key: _ids_at(opened, key) for key in keys}
        chosen = {id for some in found.values() for id in some}
        if conditions:
            chosen.update(opened.ids_where(conditions))
        if dry_run:
            for id in sorted(chosen):
                if record := opened.get(id):
                    click.echo(f"{id}\t{printable(record.path)}")
            count = len(chosen)
        else:
            count = opened.delete(chosen)
    word = "would be removed" if dry_run else "removed"
    click.echo(f"{printable(gallery)}: {count} images {word}", err=dry_run)
    unknown = [name for name, some in found.items() if not some]
    for name in unknown:
        kind = "id" if isinstance(name, int) else "path"
        click.echo(printable(f"has no image with {kind} {name}"), err=True)
    if unknown:
        ctx.exit(EXIT_SKIPPED)


def _ids_at(gallery: Gallery, key: int | str) -> Sequence[int]:
    """The image with an id or path, or the frames of the video with a path."""
    if isinstance(key, int):  # also if it is damaged
        return [key] if key in gallery else []
    record = gallery.get(key)
    if record is not None and record.id is not None:
        return [record.id]
    return [id for id, _, _ in gallery.paths.frames(key)]
