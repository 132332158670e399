"""Building the index for approximate search, and measuring what it finds."""

from __future__ import annotations

import contextlib
import secrets
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from contrawarp_edge.core.checksums import file_checksum
from contrawarp_edge.core.errors import InputError
from contrawarp_edge.core.optional import required
from contrawarp_edge.gallery.ann import ann_index
from contrawarp_edge.gallery.ann.ann_index import RECALL_K, AnnFacts
from contrawarp_edge.gallery.ann.lock import BusyError, only_builder, remove_strays
from contrawarp_edge.gallery.embeddings.matrix import Matrix
from contrawarp_edge.gallery.gallery import Gallery
from contrawarp_edge.search.vectors import Rows, Vectors

_TRAINING_ROWS_PER_LIST = 40
_BLOCK = 16384
_QUERIES = 400
_WANTED_RECALL = 0.985


@dataclass(frozen=True)
class _Sample:
    """Images to measure on, and what exact search finds for each besides itself."""

    ids: Rows
    vectors: Vectors
    nearest: list[Rows]


def build(
    gallery: Gallery,
    *,
    lists: int | None = None,
    on_progress: Callable[[str], None] = lambda step: None,
) -> AnnFacts:
    """Builds the index of a gallery and makes it the one that is used.

    The number of cells that a query searches is the smallest power of two that finds
    98.5 % of the ten nearest images on one half of a sample of images; the recall that
    is stored is that of the other half. An image itself does not count.

    Args:
        gallery: Any number of images; from ``ann.MIN_ROWS`` on, searches use the index.
        lists: Number of cells; 4 times the square root of the number of images if None.
        on_progress: Told what is being done.

    Returns:
        What the index is.

    Raises:
        BusyError: If another process builds it, or images were deleted meanwhile.
        InputError: If faiss is missing, or there are too few images, or no room.
    """
    required("faiss", "ann", "an index needs faiss")
    with only_builder(gallery.path):
        remove_strays(gallery.path)
        return _build(gallery, lists, on_progress)


def _build(
    gallery: Gallery, lists: int | None, on_progress: Callable[[str], None]
) -> AnnFacts:
    import faiss

    matrix = gallery.matrix()
    if lists is None:
        lists = max(1, int(4 * np.sqrt(len(matrix))))
    if len(matrix) < max(_TRAINING_ROWS_PER_LIST * lists // 4, 2 * RECALL_K):
        raise InputError(f"{gallery.path}: too few images for {lists} cells")
    rng = np.random.default_rng(0)
    on_progress(f"finding {lists:,} cells")
    index = faiss.index_factory(matrix.dim, f"IVF{lists},SQ8", faiss.METRIC_L2)
    index.train(matrix.take(_some(rng, matrix, _TRAINING_ROWS_PER_LIST * lists)))
    done = 0
    for ids, vectors in matrix.blocks(_BLOCK):
        index.add_with_ids(vectors, ids)
        done += len(ids)
        on_progress(f"adding {done:,} of {len(matrix):,}")
    on_progress("measuring")
    first, second = (_sample(rng, matrix) for _ in range(2))
    probes = _choose_probes(index, matrix, first, lists)
    recall = measure(index, matrix, second, probes)
    try:
        facts = _publish(gallery, index, matrix, probes, recall)
        is_clean = bool(np.isin(matrix.all_ids(), gallery.matrix().all_ids()).all())
    except FileNotFoundError:  # whoever erases removes unfinished files too
        is_clean = False
    if not is_clean:
        ann_index.remove_index(gallery.path)
        raise BusyError(
            f"{gallery.path}: images were deleted while its index was built; "
            "build it again"
        )
    return facts


def measure(index: Any, matrix: Matrix, sample: _Sample, probes: int) -> float:
    """Share of the nearest images of a sample that is among the candidates."""
    candidates = ann_index.search_candidates(
        index, sample.vectors, RECALL_K + 1, probes
    )
    # Candidates are ranked exactly, so whatever is among them is found.
    shares = [
        np.isin(nearest, found).mean()
        for nearest, found in zip(sample.nearest, candidates, strict=True)
    ]
    return float(np.mean(shares))


def _choose_probes(index: Any, matrix: Matrix, sample: _Sample, lists: int) -> int:
    probes = 1
    while probes < lists and measure(index, matrix, sample, probes) < _WANTED_RECALL:
        probes *= 2
    return min(probes, lists)


def _some(rng: np.random.Generator, matrix: Matrix, most: int) -> Rows:
    ids = matrix.all_ids()
    return np.sort(rng.choice(ids, min(most, len(ids)), replace=False))


def _sample(rng: np.random.Generator, matrix: Matrix) -> _Sample:
    ids = _some(rng, matrix, _QUERIES)
    vectors = matrix.take(ids)
    found = matrix.top_k(vectors, RECALL_K + 1)
    nearest = [
        rows[rows != id][:RECALL_K] for id, (rows, _) in zip(ids, found, strict=True)
    ]
    return _Sample(ids, vectors, nearest)


def _publish(
    gallery: Gallery, index: Any, matrix: Matrix, probes: int, recall: float
) -> AnnFacts:
    import faiss

    path = gallery.path.with_name(f"{gallery.path.name}-index-{secrets.token_hex(4)}")
    try:
        path.touch()
        shutil.copymode(gallery.path, path)
        faiss.write_index(index, str(path))
        facts = AnnFacts(
            revision=matrix.revision,
            token=gallery.mark(matrix.revision),
            dim=matrix.dim,
            rows=len(matrix),
            lists=index.nlist,
            probes=probes,
            recall=recall,
            file=path.name,
            size=path.stat().st_size,
            checksum=file_checksum(path),
        )
        ann_index.write_facts(gallery.path, facts)
    except BaseException as error:
        with contextlib.suppress(OSError):
            path.unlink()
        if isinstance(error, (OSError, RuntimeError)) and not isinstance(
            error, FileNotFoundError
        ):
            reason = str(error).splitlines()[0]
            raise InputError(f"{path}: cannot be written: {reason}") from error
        raise
    return facts
