"""Expression verification: do two people show the same expression?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from jaxtyping import Shaped

from contrawarp_edge.core.errors import NotApplicableError
from lightly_contrawarp.evaluation.statistics.arrays import Floats, Ints
from lightly_contrawarp.evaluation.statistics.intervals import (
    Estimate,
    percentile_interval,
)
from lightly_contrawarp.evaluation.statistics.neighbours import unit_rows
from lightly_contrawarp.evaluation.statistics.verification import (
    Pairs,
    Task,
    verification_aucs,
)
from lightly_contrawarp.evaluation.tables import Table, encoder_table, estimate_cell

MAX_PAIRS = 30_000
"""Most pairs of images inside a class, or between two; of more, so many are drawn."""

MANY_CLASS_PAIRS = 30
"""Of more pairs of classes, each gets fewer pairs of images, so that together they have
no more: time grows with them."""

CHANCE = 0.5


@dataclass(frozen=True)
class ClassPairResult:
    """How well one expression is told from another.

    Attributes:
        classes: Names of the two classes.
        images: Number of images that they have together.
        auc: Area under the ROC curve of telling pairs of images inside one of the
            classes from pairs between them.
    """

    classes: tuple[str, str]
    images: int
    auc: Estimate


@dataclass(frozen=True)
class ExpressionVerificationResult:
    """How well pairs with one expression are told from pairs with two, by cosine.

    The two images of a pair show two people. Intervals resample the people.

    Attributes:
        people: Number of people.
        images: Number of images.
        auc: Mean over the pairs of classes.
        by_pair: The same of each pair of classes, those with most images first.
    """

    people: int
    images: int
    auc: Estimate
    by_pair: list[ClassPairResult]


def expression_verification(
    values: Shaped[Floats, "n d"],
    labels: Shaped[Ints, " n"],
    identities: Shaped[Ints, " n"],
    classes: Sequence[str],
) -> ExpressionVerificationResult:
    """Measures how well pairs of people with the same expression are told.

    Args:
        values: Features of the images.
        labels: Their classes, positions in ``classes``.
        identities: Who each image shows, any integers.
        classes: Names of the classes; those without images do not count.

    Raises:
        NotApplicableError: If no two classes have pairs of different people, inside
            one of them and between them.
    """
    people, person = np.unique(identities, return_inverse=True)
    rng = np.random.default_rng(0)
    rows = {label: np.flatnonzero(labels == label) for label in np.unique(labels)}
    couples = list(combinations(range(len(rows)), 2))
    most = max(1, MAX_PAIRS * MANY_CLASS_PAIRS // max(MANY_CLASS_PAIRS, len(couples)))
    of_class = list(rows.values())
    inside = [_pairs(own, own, person, rng, most) for own in of_class]
    between = [
        _pairs(of_class[one], of_class[two], person, rng, most) for one, two in couples
    ]
    told = [
        Task(couple, unlike)
        for couple, unlike in zip(couples, between, strict=True)
        if len(unlike.first) and any(len(inside[kind].first) for kind in couple)
    ]
    if not told:
        raise NotApplicableError(
            "expression verification needs two expressions, one of them shown by two "
            f"people; got {len(people)} people and {len(rows)} expressions"
        )
    areas = verification_aucs(unit_rows(values), person, inside, told)
    names = [classes[label] for label in rows]
    found = [
        ClassPairResult(
            (names[one], names[two]),
            len(of_class[one]) + len(of_class[two]),
            _estimate(own),
        )
        for ((one, two), _), own in zip(told, areas, strict=True)
    ]
    # A resample may lack a small class.
    known = ~np.isnan(areas)
    sums, counts = np.nansum(areas, axis=0), known.sum(axis=0)
    means = np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)
    found.sort(key=lambda one: -one.images)
    return ExpressionVerificationResult(
        len(people), len(labels), _estimate(means), found
    )


def table(results: Mapping[str, ExpressionVerificationResult]) -> Table:
    """Lays out results by the name of the encoder; all are of the same test set."""
    first = next(iter(results.values())).by_pair
    largest = " and ".join(first[0].classes)
    return encoder_table(
        "Expression verification",
        "How well two people with the same expression are told from two with different "
        "ones (area under the curve): mean over the pairs of expressions, and the pair "
        "with most images.",
        results,
        {
            f"mean of {len(first)}": lambda result: estimate_cell(result.auc),
            largest: lambda result: estimate_cell(result.by_pair[0].auc),
        },
        ["50.0", "50.0"],
    )


def _pairs(
    one: Shaped[Ints, " n"],
    two: Shaped[Ints, " t"],
    person: Shaped[Ints, " all"],
    rng: np.random.Generator,
    most: int,
) -> Pairs:
    """Pairs of different people: a row of each, or two of the same rows."""
    inside = one is two
    total = len(one) * (len(one) - 1) // 2 if inside else len(one) * len(two)
    if total > most:
        first = rng.integers(len(one), size=most)
        if inside:  # the other one is any but this: a step further, in a ring
            second = (first + rng.integers(1, len(one), size=most)) % len(one)
        else:
            second = rng.integers(len(two), size=most)
    elif inside:
        first, second = np.triu_indices(len(one), 1)
    else:
        first, second = np.indices((len(one), len(two))).reshape(2, -1)
    weight = total / len(first) if len(first) else 1.0
    first, second = one[first], two[second]
    apart = person[first] != person[second]
    return Pairs(first[apart], second[apart], weight)


def _estimate(areas: Shaped[Floats, " resamples"]) -> Estimate:
    return Estimate(float(areas[0]), percentile_interval(areas[1:]), CHANCE)
