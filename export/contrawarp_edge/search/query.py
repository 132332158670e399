"""One query vector from several examples."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from contrawarp_edge.core.errors import InputError
from contrawarp_edge.search.vectors import Vectors

Vector = npt.NDArray[np.floating]

UNLIKE_WEIGHT = 0.5
"""How much what a hit should not be like counts against what it should be like."""


def combined(
    like: Sequence[Vector] | Vector, unlike: Sequence[Vector] | Vector = ()
) -> Vectors:
    """Combines examples: the mean direction of the ones less half that of the others.

    ``unit(unit(mean(like)) - 0.5 * unit(mean(unlike)))``, after each vector was given
    unit length.

    Args:
        like: Vectors ``(D,)`` of any length, at least one; or rows of ``(N, D)``.
        unlike: The same of what is not wanted, any number.

    Returns:
        float32 ``(D,)`` of unit length.

    Raises:
        InputError: If vectors are no directions, or cancel each other out.
    """
    query = _mean_direction(like)
    if len(unlike):
        query = _unit(query - UNLIKE_WEIGHT * _mean_direction(unlike))
    return np.asarray(query, np.float32)


def _mean_direction(vectors: Sequence[Vector] | Vector) -> npt.NDArray[np.float64]:
    stacked = np.stack(list(vectors)).astype(np.float64)
    with np.errstate(over="ignore"):
        lengths = np.linalg.norm(stacked, axis=1, keepdims=True)
    if not (np.isfinite(lengths) & (lengths > 0)).all():
        raise InputError("an embedding is zero or not finite")
    return _unit((stacked / lengths).mean(axis=0))


def _unit(vector: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    length = np.linalg.norm(vector)
    if not length > 1e-6:
        raise InputError("the examples cancel each other out; leave some away")
    return np.asarray(vector / length)
