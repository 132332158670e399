"""Telling two kinds of pairs of images apart by their cosine."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Shaped
from numpy.typing import NDArray

from lightly_contrawarp.evaluation.statistics.arrays import Floats, Ints
from lightly_contrawarp.evaluation.statistics.intervals import resample_counts

_PAIRS_AT_ONCE = 10_000


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
        alike: Pairs whose cosines should be larger.
        unlike: Pairs whose cosines should be smaller.

    Returns:
        The area, and after it those of `RESAMPLES` resamples; NaN where pairs of one
        kind are missing.
    """
    kinds = [*alike, *unlike]
    first, second = (np.concatenate([one[side] for one in kinds]) for side in (0, 1))
    weight = np.concatenate([np.full(len(one.first), one.weight) for one in kinds])
    is_alike = np.arange(len(first)) < sum(len(one.first) for one in alike)
    scores = _cosines(unit, first, second)
    order = np.argsort(scores, kind="stable")
    starts = np.flatnonzero(np.diff(scores[order], prepend=-np.inf))  # of equal scores
    one, two = person[first[order]], person[second[order]]
    hit = np.where(is_alike, weight, 0)[order]
    miss = np.where(is_alike, 0, weight)[order]
    apart = one != two
    people = int(person.max()) + 1

    def auc(counts: Shaped[Ints, " people"]) -> float:
        times = counts[one] * np.where(apart, counts[two], 1)
        hits = np.add.reduceat(hit * times, starts)
        misses = np.add.reduceat(miss * times, starts)
        below = np.cumsum(misses) - misses / 2
        pairs = hits.sum() * misses.sum()
        return float(hits @ below / pairs) if pairs else np.nan

    whole = np.ones(people, np.int64)
    return np.array([auc(whole), *map(auc, resample_counts(people))])


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
