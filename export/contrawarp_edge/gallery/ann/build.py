"""Building the index for approximate search, and measuring what it finds."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from contrawarp_edge.core.drafts import Draft
from contrawarp_edge.core.errors import BusyError, NotApplicableError, StorageError
from contrawarp_edge.core.files import storage_errors
from contrawarp_edge.core.sqlite.transactions import transaction
from contrawarp_edge.gallery.ann import index_file
from contrawarp_edge.gallery.ann.ann_index import RECALL_K, search_candidates
from contrawarp_edge.gallery.ann.index_file import AnnFacts
from contrawarp_edge.gallery.embeddings.matrix import Matrix
from contrawarp_edge.gallery.store import statements
from contrawarp_edge.gallery.store.opened import OpenedFile
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
    gallery: Path,
    *,
    lists: int | None = None,
    on_progress: Callable[[str], None] = lambda step: None,
) -> AnnFacts:
    """Builds the index of a gallery and makes it the one that is used.

    The number of cells that a query searches is the smallest power of two that finds
    98.5 % of the ten nearest images on one half of a sample of images; the recall that
    is stored is that of the other half. An image itself does not count.

    Args:
        gallery: The file; any number of images. Searches use the index from
            ``ann_index.MIN_ROWS`` on.
        lists: Number of cells; 4 times the square root of the number of images if None.
        on_progress: Told what is being done.

    Returns:
        What the index is.

    Raises:
        BusyError: If another process builds it, or images were deleted meanwhile.
        NotApplicableError: If there are too few images.
        InputError: If the gallery cannot be read, or faiss is missing.
        StorageError: If there is no room.
    """
    index_file.required_faiss()
    with (
        closing(OpenedFile(gallery, readonly=True)) as file,
        _explained(gallery),
        index_file.only_writer(file.place) as draft,
    ):
        return _build(file, draft, lists, on_progress)


@contextmanager
def _explained(gallery: Path) -> Iterator[None]:
    try:
        with storage_errors(f"{gallery}: its index cannot be written"):
            yield
    except RuntimeError as error:  # of faiss, whose first line is the reason
        reason = str(error).splitlines()[0]
        message = f"{gallery}: its index cannot be written: {reason}"
        raise StorageError(message) from error


def _build(
    file: OpenedFile,
    draft: Draft,
    lists: int | None,
    on_progress: Callable[[str], None],
) -> AnnFacts:
    faiss = index_file.required_faiss()
    matrix, token = file.read(partial(_read, file))
    if lists is None:
        lists = max(1, int(4 * np.sqrt(len(matrix))))
    if len(matrix) < max(_TRAINING_ROWS_PER_LIST * lists // 4, 2 * RECALL_K):
        raise NotApplicableError(f"{file.path}: too few images for {lists} cells")
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
    probes = _choose_probes(index, first, lists)
    facts = AnnFacts(
        revision=matrix.revision,
        token=token,
        dim=matrix.dim,
        rows=len(matrix),
        lists=lists,
        probes=probes,
        recall=measure(index, second, probes),
        file="",
        size=0,
        checksum=0,
    )
    try:
        facts = index_file.publish(file.place, draft, index, facts)
        present = file.read(statements.all_ids)
        is_clean = bool(np.isin(matrix.all_ids(), present).all())
    except FileNotFoundError:  # whoever erases removes unfinished files too
        is_clean = False
    if not is_clean:
        index_file.remove_index(file.place)
        raise BusyError(
            f"{file.path}: images were deleted while its index was built; "
            "build it again"
        )
    return facts


def _read(file: OpenedFile, connection: sqlite3.Connection) -> tuple[Matrix, str]:
    """All embeddings, and the mark of their revision."""
    with transaction(connection, "DEFERRED"):
        empty = Matrix.empty(file.place, int(file.meta["dim"]))
        matrix = empty.refreshed(connection).checked(connection)
        token = statements.token(connection, matrix.revision) or b""
    return matrix, token.hex()


def measure(index: Any, sample: _Sample, probes: int) -> float:
    """Share of the nearest images of a sample that is among the candidates."""
    candidates = search_candidates(index, sample.vectors, RECALL_K + 1, probes)
    # Candidates are ranked exactly, so whatever is among them is found.
    shares = [
        np.isin(nearest, found).mean()
        for nearest, found in zip(sample.nearest, candidates, strict=True)
    ]
    return float(np.mean(shares))


def _choose_probes(index: Any, sample: _Sample, lists: int) -> int:
    probes = 1
    while probes < lists and measure(index, sample, probes) < _WANTED_RECALL:
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
