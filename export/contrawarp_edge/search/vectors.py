"""Embeddings, scores and the positions of rows, as arrays."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from contrawarp_edge.core.errors import InputError

Vector: TypeAlias = npt.NDArray[np.floating]
"""``(D,)``, of any length but zero."""

Vectors: TypeAlias = npt.NDArray[np.float32]
"""``(N, D)``, or one ``(D,)``, of unit length as a rule."""

Probabilities: TypeAlias = npt.NDArray[np.float32]
"""``(N, C)``, rows sum to 1; C is 0 if there are no classes."""

Rows: TypeAlias = npt.NDArray[np.int64]
"""``(N,)``, ids of images or positions of rows."""

Scores: TypeAlias = npt.NDArray[np.float64]
"""``(N,)``, cosine similarities, -1 to 1."""

Mask: TypeAlias = npt.NDArray[np.bool_]
"""``(N,)``, which rows count."""


def unit_rows(vectors: npt.ArrayLike, dim: int) -> Vectors:
    """Scales vectors to unit length.

    Args:
        vectors: ``(N, dim)`` or ``(dim,)``.
        dim: The length that they have to have.

    Returns:
        float32 ``(N, dim)``.

    Raises:
        InputError: If their shape is another, or one is zero or not finite.
    """
    values = np.atleast_2d(np.asarray(vectors, np.float64))
    if values.ndim != 2 or values.shape[1] != dim:
        raise InputError(
            f"the gallery holds vectors of length {dim}, which shape "
            f"{np.shape(vectors)} does not fit"
        )
    lengths = np.linalg.norm(values, axis=1, keepdims=True)
    if not (np.isfinite(lengths) & (lengths > 0)).all():
        raise InputError("a vector is zero or not finite")
    return np.asarray(values / lengths, np.float32)


def are_probabilities(scores: Probabilities) -> Mask:
    """Tells for each row of ``(N, C)`` whether it sums to 1; all do if C is 0."""
    sums = scores.sum(axis=1, dtype=np.float64)
    are = (np.abs(sums - 1) < 0.01) & (scores >= 0).all(axis=1)
    return np.asarray(are | (scores.shape[1] == 0))
