"""One query from several examples and counter-examples."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from contrawarp_edge.errors import InputError
from contrawarp_edge.nearest import Vectors

NOT_WEIGHT = 0.5
"""How much what is not wanted counts, against 1 for what is wanted."""


def combined(likes: Vectors, nots: Vectors | None = None) -> Vectors:
    """The query for "like these, but not like those".

    ``q = unit(unit(mean(likes)) - 0.5 * unit(mean(nots)))``, which ranks images by
    their similarity to the likes less half of that to the nots.

    Args:
        likes: float32 ``(N, D)``, N at least 1, rows of unit length.
        nots: The same of what is not wanted; none if None or without rows.

    Returns:
        float32 ``(D,)`` of unit length.

    Raises:
        InputError: If the examples cancel each other out.
    """
    query = _unit_mean(likes)
    if nots is not None and len(nots):
        query = _unit(query - NOT_WEIGHT * _unit_mean(nots))
    return query.astype(np.float32)


def _unit_mean(vectors: Vectors) -> npt.NDArray[np.float64]:
    return _unit(vectors.astype(np.float64).mean(axis=0))


def _unit(vector: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    length = np.linalg.norm(vector)
    if length < 1e-6:
        raise InputError("these examples cancel each other out; leave one away")
    return np.asarray(vector / length)
