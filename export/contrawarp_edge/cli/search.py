"""``contrawarp-edge search``."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from contrawarp_edge.cli.options import FILE, remembered_model
from contrawarp_edge.cli_errors import CleanCommand, printable
from contrawarp_edge.embedder import Embedder
from contrawarp_edge.gallery import Gallery
from contrawarp_edge.html_page import render
from contrawarp_edge.records import Hit


@click.command("search", cls=CleanCommand)
@click.argument("gallery", type=FILE)
@click.argument("query", type=FILE)
@click.option("--model", type=FILE, help="The model, if it is not where it was.")
@click.option("-k", type=click.IntRange(min=1), default=10, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--html", type=FILE, help="Write a page with the pictures.")
def search_command(
    gallery: Path,
    query: Path,
    model: Path | None,
    k: int,
    as_json: bool,
    html: Path | None,
) -> None:
    """Find the images of a gallery that are most similar to QUERY."""
    with Gallery.open(gallery, readonly=True) as opened:
        embedder = Embedder(model or remembered_model(opened))
        opened.check_model(embedder.info)
        (hits,) = opened.search(embedder.embed(query), k)
        total = len(opened)
    if html:
        html.write_text(render(query, gallery, total, hits), encoding="utf-8")
    if as_json:
        click.echo(json.dumps([_hit_facts(*pair) for pair in enumerate(hits, start=1)]))
        return
    click.echo("rank  score  path")
    for rank, hit in enumerate(hits, start=1):
        click.echo(f"{rank:>4} {hit.score:>6.3f}  {printable(hit.path)}")


def _hit_facts(rank: int, hit: Hit) -> dict[str, Any]:
    return {"rank": rank, **asdict(hit)}
