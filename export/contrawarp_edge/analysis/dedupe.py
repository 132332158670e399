"""Near-duplicates in a gallery, block by block."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from contrawarp_edge.gallery.embeddings.matrix import Matrix
from contrawarp_edge.search.distinct import first_distinct
from contrawarp_edge.search.nearest import exact_scores
from contrawarp_edge.search.vectors import Rows, Vectors

_BLOCK = 4096


@dataclass
class Group:
    """Images that are nearly the same.

    Attributes:
        kept: Id of the one embedded first, which stands for all.
        others: Ids of the others, each with its cosine similarity to ``kept``.
    """

    kept: int
    others: list[tuple[int, float]] = field(default_factory=list)


def duplicate_groups(
    matrix: Matrix,
    min_score: float,
    on_progress: Callable[[int], None] = lambda done: None,
) -> list[Group]:
    """Finds groups of near-duplicates.

    By ascending id, an image joins the group of the first image that is kept and at
    least ``min_score`` similar to it; else it is kept itself. So whoever keeps only the
    kept images has lost none that was not that similar to one of them, and no chain of
    small differences joins images that differ much.

    Args:
        matrix: All embeddings.
        min_score: Least cosine similarity of near-duplicates.
        on_progress: Told after each block how many images are done.

    Returns:
        The groups of two and more, by ascending id of the kept image.
    """
    groups: dict[int, Group] = {}
    kept = np.empty(0, np.int64)
    done = 0
    for ids, vectors in matrix.blocks(_BLOCK):
        owner = _owners(matrix, kept, vectors, min_score)
        alone = np.flatnonzero(owner < 0)
        # Among those that are like none kept before, the same again.
        fresh = vectors[alone]
        chosen = first_distinct(fresh, min_score, len(fresh))
        inside = _first_like(fresh, fresh[chosen], min_score)
        owner[alone] = ids[alone[chosen]][inside]
        kept = np.concatenate([kept, ids[alone[chosen]]])
        for row in np.flatnonzero(owner != ids):
            key = int(owner[row])
            (score,) = exact_scores(matrix.take(owner[row : row + 1]), vectors[row])
            groups.setdefault(key, Group(key)).others.append(
                (int(ids[row]), float(score))
            )
        done += len(ids)
        on_progress(done)
    return [groups[key] for key in sorted(groups)]


def _owners(matrix: Matrix, kept: Rows, vectors: Vectors, min_score: float) -> Rows:
    """For each vector the first kept id that is like it, -1 if none is."""
    owner = np.full(len(vectors), -1, np.int64)
    for start in range(0, len(kept), _BLOCK):
        free = np.flatnonzero(owner < 0)
        if not len(free):
            break
        part = kept[start : start + _BLOCK]
        first = _first_like(vectors[free], matrix.take(part), min_score)
        found = first >= 0
        owner[free[found]] = part[first[found]]
    return owner


def _first_like(vectors: Vectors, others: Vectors, min_score: float) -> Rows:
    """For each vector the first of the others that is like it, -1 if none is."""
    if not len(others) or not len(vectors):
        return np.full(len(vectors), -1, np.int64)
    is_like = vectors @ others.T >= min_score
    first = is_like.argmax(axis=1)
    return np.where(is_like.any(axis=1), first, -1)
