"""Holding a part of a labelled set out, to choose and to calibrate on it."""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import Shaped
from numpy.typing import NDArray

from contrawarp_edge.core.errors import NotApplicableError


def hold_out(
    labels: Shaped[NDArray[np.integer[Any]], " n"], *, seed: int
) -> Shaped[NDArray[np.bool_], " n"]:
    """Marks a random tenth of each class, at least one item, but never its last.

    Args:
        labels: The class of each item.
        seed: Draws them.

    Raises:
        NotApplicableError: If fewer than two classes have at least two items.
    """
    rng = np.random.default_rng(seed)
    held_out = np.zeros(len(labels), dtype=bool)
    usable = 0
    for label in np.unique(labels):
        members = rng.permutation(np.flatnonzero(labels == label))
        if len(members) > 1:
            usable += 1
            held_out[members[: max(1, round(len(members) / 10))]] = True
    if usable < 2:
        raise NotApplicableError(
            "a classifier needs two training images each of two classes or more"
        )
    return held_out
