"""``contrawarp-edge check``."""

from __future__ import annotations

from pathlib import Path

import click

from contrawarp_edge.cli.options import FILE, Steps
from contrawarp_edge.core.command import EXIT_SKIPPED, CleanCommand
from contrawarp_edge.core.text import printable
from contrawarp_edge.gallery.check import Findings, check_gallery


@click.command("check", cls=CleanCommand)
@click.argument("gallery", type=FILE)
@click.pass_context
def check_command(ctx: click.Context, gallery: Path) -> None:
    """Read all of a gallery and name what is damaged.

    Compares every image's row with its checksum, lets SQLite check its file, and reads
    the copies beside it. Changes nothing. Exit code 3 means that something is damaged.
    """
    steps = Steps()
    found = check_gallery(gallery, lambda images: steps(f"{images:,} images read"))
    steps.clear()
    for line in (*_damage(gallery, found), *_advice(gallery, found)):
        click.echo(printable(line))
    if not found.is_whole:
        ctx.exit(EXIT_SKIPPED)


def _damage(gallery: Path, found: Findings) -> list[str]:
    lines = [f"image {id} ({path}): {what}" for id, path, what in found.rows]
    lines += [f"{gallery}: SQLite says: {text}" for text in found.file]
    return lines + [
        f"{path}: damaged, or of another gallery or version" for path in found.caches
    ]


def _advice(gallery: Path, found: Findings) -> list[str]:
    lines = []
    if found.file:
        lines.append(
            "the file is damaged: put a backup in its place, or embed the images into "
            "a new gallery"
        )
    elif found.rows:
        lines.append(
            f"{len(found.rows)} damaged images: take them out with `contrawarp-edge "
            f"remove {gallery} --id ID` and embed their files again, with their "
            "metadata; or put a backup in the gallery's place"
        )
    if found.caches:
        lines.append(
            "what lies beside the gallery is only a copy and not used if damaged: "
            "delete it, and it is made again"
        )
    if not found.has_checksums:
        lines.append(
            "written by an earlier version, without checksums: only a part of all "
            "damage shows; the next `embed` adds them"
        )
    verdict = "whole" if found.is_whole else "damaged"
    return [*lines, f"{gallery}: {found.images:,} images read, {verdict}"]
