"""Groups of similar images: spherical k-means in blocks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from contrawarp_edge.core.errors import NotApplicableError
from contrawarp_edge.gallery.embeddings.matrix import Matrix
from contrawarp_edge.search.vectors import Rows, Scores, Vectors

Sums = npt.NDArray[np.float64]
Assigned = tuple[Rows, Scores, Sums]

_BLOCK = 16384
_SAMPLE = 20_000
_MAX_ROUNDS = 50
_STARTS = 4


@dataclass(frozen=True)
class Clusters:
    """Images divided into groups, the largest group first.

    Attributes:
        ids: int64 ``(N,)``, ascending.
        labels: int64 ``(N,)``: the group of each id, from 0.
        scores: float64 ``(N,)``: cosine similarity to the centre of its group.
        centres: float32 ``(K, D)``, rows of unit length.
    """

    ids: Rows
    labels: Rows
    scores: Scores
    centres: Vectors

    def members(self, label: int) -> tuple[Rows, Scores]:
        """Ids and scores of a group, the most typical first."""
        rows = np.flatnonzero(self.labels == label)
        rows = rows[np.lexsort((self.ids[rows], -self.scores[rows]))]
        return self.ids[rows], self.scores[rows]


def cluster(
    matrix: Matrix,
    count: int,
    on_progress: Callable[[str], None] = lambda step: None,
) -> Clusters:
    """Divides all images into groups around mean directions.

    Spherical k-means with k-means++ starts, the best of four on a sample of at most
    20,000 images, then over all images until no group changes. The result is the same
    each time.

    Args:
        matrix: All embeddings.
        count: Number of groups, at most the number of images.
        on_progress: Told what is being done.

    Raises:
        InputError: If there are fewer images than groups.
    """
    ids = matrix.all_ids()
    if not 1 <= count <= len(ids):
        raise NotApplicableError(f"{count} groups cannot be made of {len(ids)} images")
    rng = np.random.default_rng(0)
    some = np.sort(rng.choice(ids, min(_SAMPLE, len(ids)), replace=False))
    sample = matrix.take(some)
    best: tuple[float, Vectors] | None = None
    for start in range(1, _STARTS + 1):
        on_progress(f"start {start} of {_STARTS}")
        centres, quality = _settled(sample, _spread(rng, sample, count))
        if best is None or quality > best[0]:
            best = quality, centres
    assert best is not None
    centres = best[1]
    labels: Rows | None = None
    for turn in range(1, _MAX_ROUNDS + 1):
        on_progress(f"round {turn}")
        before = labels
        labels, scores, sums = _assigned_in_blocks(matrix, centres)
        if before is not None and (labels == before).all():
            break
        centres = _centres(sums, centres)
    assert labels is not None
    order = np.argsort(-np.bincount(labels, minlength=count), kind="stable")
    rank = np.argsort(order)
    return Clusters(ids, rank[labels], scores, centres[order])


def _spread(rng: np.random.Generator, vectors: Vectors, count: int) -> Vectors:
    """Centres to begin with, far from each other (k-means++)."""
    chosen = [int(rng.integers(len(vectors)))]
    distance = 2 - 2 * (vectors @ vectors[chosen[0]])
    while len(chosen) < count:
        weights = np.clip(distance, 0, None).astype(np.float64)
        weights[chosen] = 0
        total = weights.sum()
        # Only copies of what was chosen are left: any will do.
        share = weights / total if total > 0 else None
        chosen.append(int(rng.choice(len(vectors), p=share)))
        distance = np.minimum(distance, 2 - 2 * (vectors @ vectors[chosen[-1]]))
    return vectors[chosen]


def _settled(vectors: Vectors, centres: Vectors) -> tuple[Vectors, float]:
    labels: Rows | None = None
    for _ in range(_MAX_ROUNDS):
        before = labels
        labels, scores, sums = _assigned(vectors, centres)
        if before is not None and (labels == before).all():
            break
        centres = _centres(sums, centres)
    return centres, float(scores.sum())


def _assigned(vectors: Vectors, centres: Vectors) -> Assigned:
    """Nearest centre of each vector, its similarity, and the sums by centre."""
    products = vectors @ centres.T
    labels = products.argmax(axis=1)
    scores = products[np.arange(len(vectors)), labels].astype(np.float64)
    sums = np.zeros(centres.shape, np.float64)
    np.add.at(sums, labels, vectors)
    return labels, scores, sums


def _assigned_in_blocks(matrix: Matrix, centres: Vectors) -> Assigned:
    parts = [_assigned(vectors, centres) for _, vectors in matrix.blocks(_BLOCK)]
    labels, scores, sums = zip(*parts, strict=True)
    return np.concatenate(labels), np.concatenate(scores), np.sum(sums, axis=0)


def _centres(sums: Sums, before: Vectors) -> Vectors:
    """Mean directions; a group that lost all its images keeps its centre."""
    lengths = np.linalg.norm(sums, axis=1, keepdims=True)
    means = np.divide(
        sums, lengths, out=before.astype(np.float64), where=lengths > 1e-9
    )
    return np.asarray(means, np.float32)
