"""``contrawarp-edge info``."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import click

from contrawarp_edge.ann import read_facts
from contrawarp_edge.cli.options import FILE
from contrawarp_edge.cli_errors import CleanCommand, printable
from contrawarp_edge.embedder import Embedder
from contrawarp_edge.errors import InputError
from contrawarp_edge.gallery import Gallery
from contrawarp_edge.gallery_file import is_sqlite


@click.command("info", cls=CleanCommand)
@click.argument("file", type=FILE, metavar="MODEL_OR_GALLERY")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def info_command(file: Path, as_json: bool) -> None:
    """Print what a model or a gallery is."""
    if is_sqlite(file):
        with Gallery.open(file, readonly=True) as gallery:
            facts = {
                "kind": "gallery",
                "images": len(gallery),
                "aligned": gallery.aligned,
                "model_path": str(gallery.model_path or ""),
                "index": asdict(index) if (index := read_facts(file)) else None,
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
    if index := facts.pop("index", None):
        share = f"finds {index['recall']:.1%} of the 10 nearest"
        facts["index"] = f"{index['rows']:,} images, {share}"
    if "aligned" in facts:
        facts["aligned"] = "yes" if facts["aligned"] else "no"
    for name, value in facts.items():
        click.echo(f"{name.replace('_', ' ') + ':':<17} {printable(value)}")
