"""Images of a small gallery, and every way of reading it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from contrawarp_edge import Gallery, Record

QUERY = np.random.default_rng(7).normal(size=8).astype(np.float32)


def records(count: int) -> list[Record]:
    vectors = np.random.default_rng(0).normal(size=(count, 8)).astype(np.float32)
    return [
        Record(f"faces/{row}.png", f"{row:064x}", vector, {"a": row % 2, "b": "text"})
        for row, vector in enumerate(vectors)
    ]


def opened(path: Path, read: Callable[[Gallery], object]) -> object:
    with Gallery.open(path, readonly=True) as gallery:
        return read(gallery)


READS: dict[str, Callable[[Gallery], object]] = {
    "by id": lambda gallery: gallery.get(17),
    "all": lambda gallery: list(gallery.iter_records()),
    "paths": lambda gallery: list(gallery.iter_paths()),
    "search": lambda gallery: gallery.search(QUERY),
    "filtered": lambda gallery: gallery.search(QUERY, where={"a": 0}),
    "matrix": lambda gallery: gallery.matrix(),
}
