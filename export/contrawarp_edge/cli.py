"""The command ``contrawarp-edge``."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from contrawarp_edge.cli_errors import (
    EXIT_SKIPPED,
    CleanGroup,
    printable,
)
from contrawarp_edge.cli_serve import serve
from contrawarp_edge.cli_web import web
from contrawarp_edge.embedder import Embedder
from contrawarp_edge.errors import InputError
from contrawarp_edge.gallery import Gallery
from contrawarp_edge.gallery_file import is_sqlite
from contrawarp_edge.html_page import render
from contrawarp_edge.indexing import Outcome, embed_into, find_images
from contrawarp_edge.progress import Progress
from contrawarp_edge.records import Hit

_FILE = click.Path(path_type=Path)


@click.group(cls=CleanGroup)
@click.version_option(package_name="contrawarp-edge")
def main() -> None:
    """Embed faces by expression and search them."""


main.add_command(serve)
main.add_command(web)


@main.command()
@click.argument("file", type=_FILE, metavar="MODEL_OR_GALLERY")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def info(file: Path, as_json: bool) -> None:
    """Print what a model or a gallery is."""
    if is_sqlite(file):
        with Gallery.open(file, readonly=True) as gallery:
            facts = {
                "kind": "gallery",
                "images": len(gallery),
                "model_path": str(gallery.model_path or ""),
                **asdict(gallery.info),
            }
    elif file.is_file():
        facts = {"kind": "model", **asdict(Embedder(file).info)}
    else:
        raise InputError(f"{file}: no such model or gallery")
    if as_json:
        click.echo(json.dumps(facts, indent=2))
        return
    facts["crop"] = facts["crop"].get("name", "unnamed")
    for name, value in facts.items():
        click.echo(f"{name.replace('_', ' ') + ':':<17} {printable(value)}")


@main.command()
@click.argument("model", type=_FILE)
@click.argument("images", type=_FILE, nargs=-1, required=True)
@click.option(
    "--gallery", type=_FILE, required=True, help="File to write or bring up to date."
)
@click.option("--report", type=_FILE, help="Write what was done and skipped as JSON.")
@click.pass_context
def embed(
    ctx: click.Context,
    model: Path,
    images: tuple[Path, ...],
    gallery: Path,
    report: Path | None,
) -> None:
    """Embed IMAGES, files or whole folders, into a gallery.

    Images that the gallery knows are passed over, so that an interrupted run is
    continued by repeating it. Exit code 3 means that some images were skipped.
    """
    paths = find_images(images)
    embedder = Embedder(model)
    progress = Progress(len(paths))
    listed = 0

    def on_batch(outcome: Outcome) -> None:
        nonlocal listed
        if outcome.failed[listed:]:
            progress.clear()
        for path, reason in outcome.failed[listed:]:
            click.echo(f"skipped {printable(f'{path}: {reason}')}", err=True)
        listed = len(outcome.failed)
        progress.update(outcome.done)

    outcome = embed_into(gallery, embedder, paths, on_batch)
    progress.clear()
    if report:
        _write_report(report, gallery, model, outcome)
    if outcome.done == len(outcome.failed):
        raise InputError(f"none of the {outcome.done} images could be used")
    click.echo(
        f"{printable(gallery)}: {outcome.embedded} embedded, "
        f"{outcome.unchanged} unchanged, {len(outcome.failed)} skipped"
    )
    if outcome.failed:
        ctx.exit(EXIT_SKIPPED)


def _write_report(report: Path, gallery: Path, model: Path, outcome: Outcome) -> None:
    facts = {
        "gallery": str(gallery),
        "model": str(model),
        "embedded": outcome.embedded,
        "unchanged": outcome.unchanged,
        "skipped": [
            {"path": str(path), "reason": reason} for path, reason in outcome.failed
        ],
    }
    report.write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")


@main.command()
@click.argument("gallery", type=_FILE)
@click.argument("query", type=_FILE)
@click.option("--model", type=_FILE, help="The model, if it is not where it was.")
@click.option("-k", type=click.IntRange(min=1), default=10, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--html", type=_FILE, help="Write a page with the pictures.")
def search(
    gallery: Path,
    query: Path,
    model: Path | None,
    k: int,
    as_json: bool,
    html: Path | None,
) -> None:
    """Find the images of a gallery that are most similar to QUERY."""
    with Gallery.open(gallery, readonly=True) as opened:
        embedder = Embedder(model or _remembered_model(opened))
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


def _remembered_model(gallery: Gallery) -> Path:
    path = gallery.model_path
    if path is None or not path.is_file():
        raise InputError(
            f"{gallery.path}: its model {path or ''} is gone; name it with --model"
        )
    return path


def _hit_facts(rank: int, hit: Hit) -> dict[str, Any]:
    return {"rank": rank, **asdict(hit)}
