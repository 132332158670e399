"""Searching a gallery, against one product and one partition in NumPy."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt

from benchmarks.speed.scale import Scale
from benchmarks.speed.table import OTHER, Growth, Part, Target, table_of_times
from benchmarks.speed.timing import limited_threads, race, ratio
from contrawarp_edge.core.progress import Progress
from contrawarp_edge.gallery.ann.build import build
from contrawarp_edge.gallery.gallery import Gallery
from contrawarp_edge.gallery.records import Record
from contrawarp_edge.model.info import ModelInfo

Vectors = npt.NDArray[np.float32]

_DIM = 512
_K = 10
_BLOCK = 10_000
FLOOR, EXACT, INDEX = "NumPy: product and partition", "Gallery.search", "with an index"
ANEW = "Gallery.search, opened for each query"
_AXIS = "images in the gallery"


def measure(scale: Scale, device: str) -> Part:
    """Races galleries of several sizes, on one thread."""
    part = Part()
    for count in scale.rows:
        with tempfile.TemporaryDirectory() as scratch, limited_threads(1):
            vectors = clustered(count)
            with filled(Path(scratch) / "faces.gallery", vectors) as gallery:
                for queries in (1, 100):
                    _measure_exact(scale, part, gallery, vectors, queries)
    for count in scale.ann_rows:
        _measure_index(scale, part, count)
    return part


def _measure_exact(
    scale: Scale, part: Part, gallery: Gallery, vectors: Vectors, queries: int
) -> None:
    asked = queries_near(vectors, queries)

    def anew() -> None:
        with Gallery.open(gallery.path) as opened:
            opened.search(asked, _K, exact=True)

    calls: dict[str, Callable[[], object]] = {
        FLOOR: lambda: numpy_search(vectors, asked),
        EXACT: lambda: gallery.search(asked, _K, exact=True),
    }
    if queries == 1:
        calls[ANEW] = anew
    times = race(calls, seconds=scale.seconds, rounds=scale.rounds)
    count = len(vectors)
    title = f"{count:,} images, {queries} queries at a time"
    part.tables.append(
        table_of_times(
            title, times, FLOOR, per=queries, unit="ms a query",
            roles={FLOOR: OTHER},
            growth=[Growth(f"exact, queries at a time: {queries}", _AXIS, count)],
        )
    )  # fmt: skip
    relative = ratio(times, EXACT, FLOOR).median
    part.targets.append(Target(f"{title}: {EXACT} / {FLOOR}", 1.2, False, relative))


def _measure_index(scale: Scale, part: Part, count: int) -> None:
    try:
        import faiss  # noqa: F401
    except ImportError:
        part.notes.append("Approximate index: not measured, no faiss.")
        return
    with tempfile.TemporaryDirectory() as scratch:
        vectors = clustered(count)
        with filled(Path(scratch) / "faces.gallery", vectors) as gallery:
            facts = build(gallery.path)
            asked = queries_near(vectors, 1)
            calls: dict[str, Callable[[], object]] = {
                EXACT: lambda: gallery.search(asked, _K, exact=True),
                INDEX: lambda: gallery.search(asked, _K),
            }
            with limited_threads(1):
                times = race(calls, seconds=scale.seconds, rounds=scale.rounds)
    extra = {
        INDEX: {"recall of the 10 nearest": f"{facts.recall:.1%}"},
        EXACT: {"recall of the 10 nearest": "100%"},
    }
    title = f"{count:,} images, approximate index, 1 query"
    growth = [Growth("approximate index, 1 query", _AXIS, count)]
    part.tables.append(
        table_of_times(
            title, times, EXACT, unit="ms a query", extra=extra, growth=growth
        )
    )


def clustered(count: int) -> Vectors:
    """Unit vectors about a thousand centres, as embeddings lie."""
    rng = np.random.default_rng(0)
    centers = rng.standard_normal((1000, _DIM), dtype=np.float32)
    vectors = np.empty((count, _DIM), np.float32)
    for start in range(0, count, _BLOCK):
        part = vectors[start : start + _BLOCK]
        part[:] = centers[rng.integers(0, len(centers), len(part))]
        part += rng.standard_normal(part.shape, dtype=np.float32)
        part /= np.linalg.norm(part, axis=1, keepdims=True)
    return vectors


def queries_near(vectors: Vectors, count: int) -> Vectors:
    """Stored vectors with some noise."""
    rng = np.random.default_rng(1)
    near = vectors[rng.integers(0, len(vectors), count)]
    noisy = near + 0.01 * rng.standard_normal(near.shape, dtype=np.float32)
    return np.asarray(noisy / np.linalg.norm(noisy, axis=1, keepdims=True))


def numpy_search(vectors: Vectors, queries: Vectors) -> npt.NDArray[np.intp]:
    """Positions of the nearest vectors, best first."""
    scores = queries @ vectors.T
    best = np.argpartition(scores, -_K, axis=1)[:, -_K:]
    order = np.argsort(-np.take_along_axis(scores, best, 1), axis=1)
    return np.asarray(np.take_along_axis(best, order, 1))


def filled(path: Path, vectors: Vectors) -> Gallery:
    """A gallery of vectors."""
    info = ModelInfo(1, {}, "random", _DIM, "0", "fp32", "unknown", "0" * 64)
    gallery = Gallery.create(path, info)
    progress = Progress(len(vectors))
    for start in range(0, len(vectors), _BLOCK):
        part = vectors[start : start + _BLOCK]
        gallery.add(
            Record(f"{start + row}.jpg", "0" * 64, vector)
            for row, vector in enumerate(part)
        )
        progress.update(start + len(part))
    progress.clear()
    return gallery
