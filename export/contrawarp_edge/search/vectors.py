"""Embeddings, scores and the positions of rows, as arrays."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from contrawarp_edge.core.errors import InputError

Vectors = npt.NDArray[np.float32]


Rows = npt.NDArray[np.int64]


Scores = npt.NDArray[np.float64]


Mask = npt.NDArray[np.bool_]


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
