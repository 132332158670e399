"""``contrawarp-edge cluster``."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import click

from contrawarp_edge.analysis.cluster import Clusters, cluster
from contrawarp_edge.cli.options import FILE, Steps, check_one_format, say_missing
from contrawarp_edge.core.command import CleanCommand, print_csv
from contrawarp_edge.core.files import atomic_write_text
from contrawarp_edge.core.text import printable
from contrawarp_edge.gallery.gallery import Gallery
from contrawarp_edge.pages.clusters import ClusterRow, render

_ON_PAGE = 24


@click.command("cluster", cls=CleanCommand)
@click.argument("gallery", type=FILE)
@click.option(
    "-k",
    "count",
    type=click.IntRange(min=1),
    default=8,
    show_default=True,
    help="Number of groups.",
)
@click.option("--json", "is_json", is_flag=True, help="Print the groups as JSON.")
@click.option("--csv", "is_csv", is_flag=True, help="Print all images as CSV.")
@click.option("--html", type=FILE, help="Write a page with typical pictures.")
def cluster_command(
    gallery: Path, count: int, is_json: bool, is_csv: bool, html: Path | None
) -> None:
    """Divide the images of a gallery into groups of similar ones.

    Spherical k-means. The score of an image is its similarity to the centre of its
    group.
    """
    check_one_format(is_json, is_csv)
    steps = Steps()
    with Gallery.open(gallery, readonly=True) as opened:
        say_missing(opened)
        clusters = cluster(opened.matrix(), count, steps)
        steps.clear()
        rows = [_row(opened, clusters, label) for label in range(count)]
        if html:
            page = render(gallery, len(clusters.ids), rows)
            atomic_write_text(html, page)
        if is_csv:
            print_csv(_csv_rows(opened, clusters))
            return
    if is_json:
        click.echo(json.dumps([_facts(row) for row in rows]))
        return
    click.echo("group   images  score  most typical")
    for row in rows:
        typical = printable(row.examples[0][0]) if row.examples else ""
        click.echo(f"{row.label:>5} {row.size:>8} {row.score:>6.3f}  {typical}")


def _row(gallery: Gallery, clusters: Clusters, label: int) -> ClusterRow:
    ids, scores = clusters.members(label)
    records = [gallery.get(int(id)) for id in ids[:_ON_PAGE]]
    examples = [
        (record.path, float(score))
        for record, score in zip(records, scores, strict=False)
        if record
    ]
    mean = float(scores.mean()) if len(scores) else 0.0
    return ClusterRow(label, len(ids), mean, examples)


def _facts(row: ClusterRow) -> dict[str, object]:
    examples = [{"path": path, "score": score} for path, score in row.examples]
    return {
        "group": row.label,
        "images": row.size,
        "score": row.score,
        "examples": examples,
    }


def _csv_rows(gallery: Gallery, clusters: Clusters) -> Iterator[list[object]]:
    yield ["id", "group", "score", "path"]
    facts = zip(clusters.ids, clusters.labels, clusters.scores, strict=True)
    for id, label, score in facts:
        record = gallery.get(int(id))
        if record:
            yield [int(id), int(label), f"{score:.6f}", record.path]
