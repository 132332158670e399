"""``contrawarp-edge web``."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import click

from contrawarp_edge.cli.options import FILE
from contrawarp_edge.core.command import EXIT_SKIPPED, CleanCommand, FiniteRange
from contrawarp_edge.core.progress import Progress
from contrawarp_edge.core.text import printable
from contrawarp_edge.web.runtime import VERSION, read_runtime
from contrawarp_edge.web.site import Precision, SiteSettings, build_site


@click.command("web", cls=CleanCommand)
@click.argument("model", type=FILE)
@click.argument("gallery", type=FILE)
@click.option("--out", type=FILE, required=True, help="Folder to write.")
@click.option(
    "--runtime",
    type=FILE,
    help="node_modules/onnxruntime-web/dist. If left out, npm is asked for version "
    f"{VERSION}.",
)
@click.option(
    "--precision",
    type=click.Choice(get_args(Precision)),
    default="float16",
    show_default=True,
    help="Of the vectors.",
)
@click.option(
    "--thumbnail",
    type=click.IntRange(16, 1024),
    default=160,
    show_default=True,
    help="Most pixels of height and width of the pictures.",
)
@click.option(
    "--max-mb",
    type=FiniteRange(1, 10_000),
    default=200,
    show_default=True,
    help="Most megabytes of the whole site.",
)
@click.pass_context
def web_command(
    ctx: click.Context,
    model: Path,
    gallery: Path,
    out: Path,
    runtime: Path | None,
    precision: Precision,
    thumbnail: int,
    max_mb: float,
) -> None:
    """Write a static site that searches GALLERY in the visitor's own browser.

    Any web server can deliver it. It holds MODEL, and of each image the embedding, the
    file's name, the metadata and a small picture: publish it only if you may publish
    those. Exit code 3 means that some pictures could not be read.
    """
    settings = SiteSettings(precision, thumbnail, int(max_mb * 1e6))
    files = read_runtime(runtime)
    progress: Progress | None = None

    def on_image(done: int, total: int) -> None:
        nonlocal progress
        progress = progress or Progress(total)
        progress.update(done)

    site = build_site(model, gallery, out, files, settings, on_image)
    if progress is not None:
        progress.clear()
    for path, reason in site.without_picture:
        click.echo(f"no picture of {printable(f'{path}: {reason}')}", err=True)
    click.echo(f"{printable(out)}: {site.images:,} images")
    for part, size in site.sizes.items():
        click.echo(f"  {part:<10} {size / 1e6:>7.2f} MB")
    click.echo(f"Try it: python -m http.server --directory {printable(out)}")
    if site.without_picture:
        ctx.exit(EXIT_SKIPPED)
