"""``contrawarp-edge info``."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from contrawarp_edge.cli.options import FILE, say_missing
from contrawarp_edge.core.command import CleanCommand
from contrawarp_edge.core.errors import NotFoundError
from contrawarp_edge.core.text import printable
from contrawarp_edge.gallery.ann.state import AnnState, read_state
from contrawarp_edge.gallery.gallery import Gallery
from contrawarp_edge.gallery.store.gallery_file import is_sqlite
from contrawarp_edge.model.embedder import Embedder


@click.command("info", cls=CleanCommand)
@click.argument("file", type=FILE, metavar="MODEL_OR_GALLERY")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def info_command(file: Path, as_json: bool) -> None:
    """Print what a model or a gallery is."""
    state = None
    if is_sqlite(file):
        with Gallery.open(file, readonly=True) as gallery:
            say_missing(gallery)
            state = read_state(file)
            facts = _gallery_facts(gallery, state)
    elif file.is_file():
        facts = {"kind": "model", **asdict(Embedder(file).info)}
    else:
        raise NotFoundError(f"{file}: no such model or gallery")
    if as_json:
        click.echo(json.dumps(facts, indent=2))
        return
    facts["crop"] = facts["crop"].get("name", "unnamed")
    facts.pop("index", None)
    if text := state and state.describe():
        facts["index"] = text
    facts["classes"] = ", ".join(facts["classes"]) or "none"
    if counts := facts.pop("expressions", None):
        facts["expressions"] = ", ".join(f"{n} {name}" for name, n in counts.items())
    if "aligned" in facts:
        facts["aligned"] = "yes" if facts["aligned"] else "no"
    for name, value in facts.items():
        click.echo(f"{name.replace('_', ' ') + ':':<17} {printable(value)}")


def _gallery_facts(gallery: Gallery, index: AnnState) -> dict[str, Any]:
    more = {"newer": index.newer, "is_used": index.is_used}
    return {
        "kind": "gallery",
        "images": index.images,
        "expressions": gallery.expressions(),
        "aligned": gallery.aligned,
        "model_path": str(gallery.model_path or ""),
        "index": None if index.facts is None else {**asdict(index.facts), **more},
        **asdict(gallery.info),
    }
