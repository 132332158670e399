"""``contrawarp-edge dedupe``."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import click

from contrawarp_edge.analysis.dedupe import Group, duplicate_groups
from contrawarp_edge.cli.options import FILE, check_one_format, say_missing
from contrawarp_edge.core.command import CleanCommand, FiniteRange, print_csv
from contrawarp_edge.core.progress import Progress
from contrawarp_edge.core.text import printable
from contrawarp_edge.gallery.gallery import Gallery


@click.command("dedupe", cls=CleanCommand)
@click.argument("gallery", type=FILE)
@click.option(
    "--min-score",
    type=FiniteRange(-1, 1),
    default=0.98,
    show_default=True,
    help="Least similarity of near-duplicates; look which fits your model.",
)
@click.option("--json", "is_json", is_flag=True, help="Print JSON.")
@click.option("--csv", "is_csv", is_flag=True, help="Print CSV.")
def dedupe_command(
    gallery: Path, min_score: float, is_json: bool, is_csv: bool
) -> None:
    """Find groups of near-duplicates in a gallery.

    The image embedded first stands for its group; the score of each other one is its
    similarity to that. Nothing is deleted.
    """
    check_one_format(is_json, is_csv)
    with Gallery.open(gallery, readonly=True) as opened:
        say_missing(opened)
        matrix = opened.matrix()
        progress = Progress(len(matrix))
        groups = duplicate_groups(matrix, min_score, progress.update)
        progress.clear()
        rows = [_rows(opened, group) for group in groups]
    if is_json:
        click.echo(json.dumps(rows))
    elif is_csv:
        print_csv(_csv_rows(rows))
    else:
        for number, group in enumerate(rows, start=1):
            for row in group:
                path = printable(row["path"])
                click.echo(f"{number:>5} {row['score']:>6.3f} {row['id']:>8}  {path}")
        others = sum(len(group) - 1 for group in rows)
        click.echo(f"{len(rows)} groups, {others} near-duplicates", err=True)


def _rows(gallery: Gallery, group: Group) -> list[dict[str, object]]:
    found = []
    for id, score in [(group.kept, 1.0), *group.others]:
        record = gallery.get(id)
        path = record.path if record else ""  # deleted since
        found.append({"id": id, "score": score, "path": path})
    return found


def _csv_rows(groups: Sequence[Sequence[dict[str, object]]]) -> Iterator[list[object]]:
    yield ["group", "id", "score", "path"]
    for number, group in enumerate(groups, start=1):
        for row in group:
            yield [number, row["id"], f"{row['score']:.6f}", row["path"]]
