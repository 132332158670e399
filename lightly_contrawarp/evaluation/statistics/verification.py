"""Telling two kinds of pairs of images apart by their cosine."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
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


class Task(NamedTuple):
    """What is to be told from what.

    Attributes:
        alike: Positions in a list of kinds of those whose cosines should be larger.
        unlike: Pairs whose cosines should be smaller.
    """

    alike: tuple[int, ...]
    unlike: Pairs


def verification_aucs(
    unit: Shaped[Floats, "n d"],
    person: Shaped[Ints, " n"],
    kinds: Sequence[Pairs],
    tasks: Sequence[Task],
) -> Shaped[NDArray[np.float64], "tasks resamples"]:
    """Areas under the ROC curve of telling like pairs from unlike ones, by cosine.

    On resamples of the people a pair of two people counts as often as both of them are
    in it, and a pair of one person as often as that person is.

    Args:
        unit: Features of length 1.
        person: Who each row shows, from 0 and without a gap.
        kinds: Kinds of pairs that tasks share; each all of one person, or all of two
            people, as what a task tells them from.
        tasks: What to tell from what.

    Returns:
        For each task the area, and after it those of `RESAMPLES` resamples; NaN where
        pairs of one kind are missing.
    """
    shared = [_Kind(unit, person, kind) for kind in kinds]
    areas = [
        _Area(_Kind(unit, person, unlike), {k: shared[k] for k in alike})
        for alike, unlike in tasks
    ]
    people = int(person.max()) + 1
    resamples = chain([np.ones(people, np.int64)], resample_counts(people))
    found = []
    for counts in (one.astype(np.float64) for one in resamples):
        up_to = [np.append(0.0, np.cumsum(kind.weigh(counts))) for kind in shared]
        found.append([area.of(counts, up_to) for area in areas])
    by_task: NDArray[np.float64] = np.array(found).T
    return by_task


class _Kind:
    """All pairs of a kind, by their cosine, ascending."""

    def __init__(
        self, unit: Shaped[Floats, "n d"], person: Shaped[Ints, " n"], pairs: Pairs
    ) -> None:
        scores = _cosines(unit, pairs.first, pairs.second)
        order = np.argsort(scores)
        self.scores = scores[order]
        self._one, self._two = person[pairs.first[order]], person[pairs.second[order]]
        self._weight = pairs.weight
        self._of_one_person = bool((self._one == self._two).all())

    def weigh(self, counts: Shaped[Floats, " people"]) -> Shaped[Floats, " pairs"]:
        """How many pairs each stands for if people occur that often."""
        weights: Floats = (self._weight * counts).take(self._one)
        if not self._of_one_person:
            weights *= counts.take(self._two)
        return weights


class _Places(NamedTuple):
    """Where unlike pairs lie among those of a kind.

    Attributes:
        below: Number of pairs of smaller cosine.
        tied: Rows of those of which some have the same.
        up_to: For these, the number of smaller and equal ones.
    """

    below: Shaped[Ints, " pairs"]
    tied: Shaped[Ints, " tied"]
    up_to: Shaped[Ints, " tied"]


class _Area:
    """The area of one task, from the places of unlike pairs among like ones."""

    def __init__(self, unlike: _Kind, alike: dict[int, _Kind]) -> None:
        self._unlike = unlike
        self._places = {}
        for number, kind in alike.items():
            low, high = (
                np.searchsorted(kind.scores, unlike.scores, side) for side in _SIDES
            )
            tied = np.flatnonzero(low < high)
            self._places[number] = _Places(low, tied, high[tied])

    def of(
        self,
        counts: Shaped[Floats, " people"],
        up_to: Sequence[Shaped[Floats, " pairs"]],
    ) -> float:
        """The area if people occur that often.

        Args:
            counts: How often.
            up_to: Of each kind the weights of none, one and so on of its pairs.
        """
        misses = self._unlike.weigh(counts)
        hits = lower = 0.0
        for number, (below, tied, up_to_tied) in self._places.items():
            weights = up_to[number]
            hits += float(weights[-1])
            lower += float(misses @ weights.take(below))
            # Of like pairs with the same cosine, half are below.
            equal = weights[up_to_tied] - weights[below[tied]]
            lower += float(misses[tied] @ equal) / 2
        pairs = hits * misses.sum()
        return float(1 - lower / pairs) if pairs else np.nan


def _cosines(
    unit: Shaped[Floats, "n d"],
    first: Shaped[Ints, " pairs"],
    second: Shaped[Ints, " pairs"],
) -> Shaped[Floats, " pairs"]:
    blocks = (
        slice(start, start + _PAIRS_AT_ONCE)
        for start in range(0, max(1, len(first)), _PAIRS_AT_ONCE)
    )
    return np.concatenate(
        [np.einsum("nd,nd->n", unit[first[b]], unit[second[b]]) for b in blocks]
    )
