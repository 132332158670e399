"""Images that are looked for in every file of a gallery."""

from __future__ import annotations

import random
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from contrawarp_edge import Gallery, ModelInfo, Record

DIM = 8


def records(count: int, seed: int = 0) -> list[Record]:
    """Faces whose paths come in no order, as they do when folders are added."""
    rng, draw = np.random.default_rng(count), random.Random(seed)
    names = [f"{draw.randrange(16**12):012x}" for _ in range(count)]
    return [
        Record(f"faces/{name}.jpg", f"{name:0<64}", vector, {"who": f"who-{name}"})
        for name, vector in zip(names, rng.normal(size=(count, DIM)), strict=True)
    ]


def needles(record: Record) -> list[bytes]:
    """What only this image has: its name in all its places, and half its embedding."""
    unit = record.embedding / np.linalg.norm(record.embedding)
    data = unit.astype("<f4").tobytes()
    return [Path(record.path).stem[:12].encode(), data[: DIM * 2], data[DIM * 2 :]]


def left(folder: Path, gone: Iterable[Record]) -> list[str]:
    """The files below a folder that hold anything of some images."""
    found = [needle for record in gone for needle in needles(record)]
    files = [path for path in folder.rglob("*") if path.is_file()]
    contents = {path.name: path.read_bytes() + path.name.encode() for path in files}
    return [n for n, content in contents.items() if any(x in content for x in found)]


def fill(path: Path, info: ModelInfo, stored: list[Record]) -> None:
    with Gallery.create(path, info) as gallery:
        for start in range(0, len(stored), 50):
            gallery.add(stored[start : start + 50])
        gallery.search(np.ones(DIM, np.float32))
