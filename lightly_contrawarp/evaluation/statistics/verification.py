"""Telling two kinds of pairs of images apart by their cosine."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np
from jaxtyping import Shaped
from numpy.typing import NDArray

from lightly_contrawarp.evaluation.statistics.arrays import Floats, Ints
from lightly_contrawarp.evaluation.statistics.intervals import resample_counts

_PAIRS_AT_ONCE = 10_000
_SIDES: tuple[Literal["left"], Literal["right"]] = ("left", "right")


class Pairs(NamedTuple):
    """Pairs of images, all of them or some that were drawn.

    Attributes:
        first: Rows of the first images.
        second: Rows of the second images.
        weight: How many pairs each of these stands for.
    """

    first: Shaped[Ints, " pairs"]
    second: Shaped[Ints, " pairs"]
    weight: float = 1.0


def verification_aucs(
    unit: Shaped[Floats, "n d"],
    person: Shaped[Ints, " n"],
    alike: Sequence[Pairs],
    unlike: Sequence[Pairs],
) -> Shaped[NDArray[np.float64], " resamples"]:
    """Areas under the ROC curve of telling like pairs from unlike ones, by cosine.

    On resamples of the people a pair of two people counts as often as both of them are
    in it, and a pair of one person as often as that person is.

    Args:
        unit: Features of length 1.
        person: Who each row shows, from 0 and without a gap.
        alike: Pairs whose cosines should be larger; each all of one person, or all of
            two people, as those of ``unlike``.
        unlike: Pairs whose cosines should be smaller.

    Returns:
        The area, and after it those of `RESAMPLES` resamples; NaN where pairs of one
        kind are missing.
    """
    hits, misses = _Kind(unit, person, alike), _Kind(unit, person, unlike)
    low, high = (np.searchsorted(misses.scores, hits.scores, side) for side in _SIDES)

    def auc(counts: Shaped[Ints, " people"]) -> float:
        hit, miss = hits.weigh(counts), misses.weigh(counts)
        below = np.concatenate([[0.0], np.cumsum(miss)])
        pairs = hit.sum() * below[-1]
        # Of unlike pairs with the same cosine, half are below.
        return float(hit @ (below[low] + below[high]) / 2 / pairs) if pairs else np.nan

    people = int(person.max()) + 1
    return np.array(
        [auc(np.ones(people, np.int64)), *map(auc, resample_counts(people))]
    )


class _Kind:
    """All pairs of a kind, by their cosine, ascending."""

    def __init__(
        self,
        unit: Shaped[Floats, "n d"],
        person: Shaped[Ints, " n"],
        parts: Sequence[Pairs],
    ) -> None:
        first, second = (np.concatenate([x[side] for x in parts]) for side in (0, 1))
        scores = _cosines(unit, first, second)
        order = np.argsort(scores)
        self.scores = scores[order]
        self._one, self._two = person[first[order]], person[second[order]]
        weights = [np.full(len(part.first), part.weight) for part in parts]
        self._weights = np.concatenate(weights)[order]
        self._of_one_person = bool((self._one == self._two).all())

    def weigh(self, counts: Shaped[Ints, " people"]) -> Shaped[Floats, " pairs"]:
        """How many pairs each stands for if people occur that often."""
        times: Floats = self._weights * counts[self._one]
        return times if self._of_one_person else np.asarray(times * counts[self._two])


def _cosines(
    unit: Shaped[Floats, "n d"],
    first: Shaped[Ints, " pairs"],
    second: Shaped[Ints, " pairs"],
) -> Shaped[Floats, " pairs"]:
    blocks = (
        slice(start, start + _PAIRS_AT_ONCE)
        for start in range(0, len(first), _PAIRS_AT_ONCE)
    )
    return np.concatenate(
        [np.einsum("nd,nd->n", unit[first[b]], unit[second[b]]) for b in blocks]
    )
