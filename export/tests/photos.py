"""Photos for a pretended detector, and what `align` made of them."""

from __future__ import annotations

import csv
from pathlib import Path

from PIL import Image

from contrawarp_edge.align.folder import AlignOutcome, align_into
from contrawarp_edge.align.rules import Rules
from contrawarp_edge.inputs.images import iter_images

SMALL = Rules(size=16)


def photo(path: Path, faces: int, green: int = 0) -> Path:
    """A photo on which the pretended detector sees some faces."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (500, 100), (50 * faces, green, 0)).save(path)
    return path


def align(folder: Path, source: Path, rules: Rules = SMALL) -> AlignOutcome:
    return align_into(folder, iter_images(source), rules, roots=[source])


def crops(folder: Path) -> list[str]:
    return [path.relative_to(folder).as_posix() for path in iter_images(folder)]


def table(folder: Path) -> list[dict[str, str]]:
    with (folder / "faces.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def skipped(folder: Path) -> dict[str, str]:
    lines = (folder / "skipped.tsv").read_text().splitlines()
    return dict(line.split("\t") for line in lines)
