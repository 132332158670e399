"""``contrawarp-edge map``."""

from __future__ import annotations

from pathlib import Path

import click
import numpy as np

from contrawarp_edge.analysis.projection import pca, tsne
from contrawarp_edge.cli.options import FILE, say_missing
from contrawarp_edge.core.command import CleanCommand
from contrawarp_edge.core.errors import NotApplicableError
from contrawarp_edge.core.files import atomic_write_text
from contrawarp_edge.core.text import printable
from contrawarp_edge.gallery.gallery import Gallery
from contrawarp_edge.pages.map import MapImage, render


@click.command("map", cls=CleanCommand)
@click.argument("gallery", type=FILE)
@click.option("--html", type=FILE, required=True, help="The page to write.")
@click.option(
    "--method",
    type=click.Choice(["pca", "tsne"]),
    default="pca",
    show_default=True,
    help="tsne needs scikit-learn.",
)
@click.option("--colour", metavar="KEY", help="Metadata to colour by.")
@click.option(
    "--most",
    type=click.IntRange(min=1),
    default=2000,
    show_default=True,
    help="Images on the map, drawn at random if there are more.",
)
def map_command(
    gallery: Path, html: Path, method: str, colour: str | None, most: int
) -> None:
    """Draw a map of a gallery, on which similar images are near each other."""
    with Gallery.open(gallery, readonly=True) as opened:
        say_missing(opened)
        matrix = opened.matrix()
        ids = matrix.all_ids()
        if not len(ids):
            raise NotApplicableError(f"{gallery}: has no images")
        rng = np.random.default_rng(0)
        ids = np.sort(rng.choice(ids, min(most, len(ids)), replace=False))
        records = [(int(id), opened.get(int(id))) for id in ids]
    images = [
        MapImage(id, record.path, str((record.metadata or {}).get(colour or "", "")))
        for id, record in records
        if record
    ]
    vectors = matrix.take(np.array([image.id for image in images], np.int64))
    if method == "pca":
        points, share = pca(vectors)
        text = f"PCA, which shows {share:.0%} of the variance"
    else:
        points, text = tsne(vectors), "t-SNE: near is similar, far says little"
    page = render(gallery, len(matrix), images, points, text)
    atomic_write_text(html, page)
    click.echo(f"{printable(html)}: {len(images)} images")
