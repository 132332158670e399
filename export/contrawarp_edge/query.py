"""One query vector from several examples."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from contrawarp_edge.embedder import Embeddings
from contrawarp_edge.errors import InputError

Vector = npt.NDArray[np.floating]

UNLIKE_WEIGHT = 0.5
"""How much what a hit should not be like counts against what it should be like."""


def combined(
    like: Sequence[Vector] | Vector, unlike: Sequence[Vector] | Vector = ()
) -> Embeddings:
    """Combines examples as Rocchio's method does, for "like these, not like those".

    ``q = unit(mean(unit(like)) - 0.5 mean(unit(unlike)))``.

    Args:
        like: Vectors ``(D,)`` of any length, at least one; or rows of ``(N, D)``.
        unlike: The same of what is not wanted, any number.

    Returns:
        float32 ``(D,)`` of unit length.

    Raises:
        InputError: If vectors differ in length or are no directions, or cancel each
            other out.
    """
    if len({vector.shape for vector in (*like, *unlike)}) != 1:
        raise InputError("the embeddings differ in length")
    query = _mean_direction(like)
    if len(unlike):
        query = query - UNLIKE_WEIGHT * _mean_direction(unlike)
    length = np.linalg.norm(query)
    if not length > 1e-6:
        raise InputError("the examples cancel each other out; leave some away")
    return np.asarray(query / length, np.float32)


def _mean_direction(vectors: Sequence[Vector] | Vector) -> npt.NDArray[np.float64]:
    stacked = np.stack(vectors).astype(np.float64)
    with np.errstate(over="ignore"):
        lengths = np.linalg.norm(stacked, axis=1, keepdims=True)
    if not (np.isfinite(lengths) & (lengths > 0)).all():
        raise InputError("an embedding is zero or not finite")
    return np.asarray((stacked / lengths).mean(axis=0))
