"""Search by expression: how many of the faces nearest to a face have its expression."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Shaped
from numpy.typing import NDArray

from contrawarp_edge.core.errors import NotApplicableError
from lightly_contrawarp.evaluation.statistics.arrays import Floats, Ints
from lightly_contrawarp.evaluation.statistics.intervals import (
    Estimate,
    percentile_interval,
    resample_counts,
)
from lightly_contrawarp.evaluation.statistics.neighbours import (
    average_precision,
    cosine_blocks,
    precision_at,
)
from lightly_contrawarp.evaluation.tables import (
    Table,
    encoder_table,
    estimate_cell,
    percent,
)


@dataclass(frozen=True)
class RetrievalResult:
    """How good a search by expression is.

    All measures are macro means: the mean over the queries of a class, and then over
    the classes. Intervals come from resampling the people, or the queries if it is not
    known who they show.

    Attributes:
        queries: Number of queries.
        left_out: Images that are no query, since no candidate has their class.
        precision_at_1: Share of queries whose nearest image has their class.
        precision_at_10: Share of a query's ten nearest images that have its class.
        mean_average_precision: Mean over queries of `average_precision`.
    """

    queries: int
    left_out: int
    precision_at_1: Estimate
    precision_at_10: Estimate
    mean_average_precision: Estimate


def retrieval(
    values: Shaped[Floats, "n d"],
    labels: Shaped[Ints, " n"],
    *,
    identities: Shaped[Ints, " n"] | None = None,
) -> RetrievalResult:
    """Searches the set with each of its images, by cosine.

    The candidates of a query are all other images or, if identities are given, all
    images of other people.

    Args:
        values: Features of the images.
        labels: Their classes.
        identities: Who each image shows, any integers: leaves out images of the
            person of the query.

    Raises:
        NotApplicableError: If no image has a candidate of its class.
    """
    measured, chance = _measure(values, labels, identities)
    used = np.isfinite(measured[:, 2])
    if not used.any():
        raise NotApplicableError(
            "retrieval needs two images of a class"
            + (", of different people" if identities is not None else "")
        )
    measured, chance, queried = measured[used], chance[used], labels[used]
    members = (queried == np.unique(queried)[:, None]).astype(np.float64)
    # Who or what is drawn anew; images of one person are not independent.
    units = np.arange(len(labels)) if identities is None else identities
    names, unit = np.unique(units[used], return_inverse=True)
    resampled = np.array(
        [_macro(members * c[unit], measured) for c in resample_counts(len(names))]
    )
    at_1, at_10, average = (
        Estimate(float(value), percentile_interval(column), float(by_chance))
        for value, column, by_chance in zip(
            _macro(members, measured),
            resampled.T,
            _macro(members, chance),
            strict=True,
        )
    )
    return RetrievalResult(
        len(queried), len(labels) - len(queried), at_1, at_10, average
    )


def table(
    results: Mapping[str, RetrievalResult], *, other_people: bool = False
) -> Table:
    """Lays out results by the name of the encoder; all are of the same test set.

    Args:
        results: What was measured.
        other_people: Whether images of the person of the query were left out.
    """
    first = next(iter(results.values()))
    by_chance = (
        first.precision_at_1.chance,
        first.precision_at_10.chance,
        first.mean_average_precision.chance,
    )
    return encoder_table(
        "Retrieval, other people" if other_people else "Retrieval",
        "Images of other people that have the expression of the image they are "
        "searched with; mean over the expressions."
        if other_people
        else "Test images that have the expression of the test image they are searched "
        "with; mean over the expressions.",
        results,
        {
            "P@1": lambda result: estimate_cell(result.precision_at_1),
            "P@10": lambda result: estimate_cell(result.precision_at_10),
            "mAP": lambda result: estimate_cell(result.mean_average_precision),
        },
        list(map(percent, by_chance)),
    )


def chance_average_precision(
    relevant: Shaped[Floats, "*q"], candidates: Shaped[Floats, "*q"]
) -> Shaped[Floats, "*q"]:
    """The expected average precision of a random order.

    With R relevant ones of M candidates, the i-th place holds a relevant one with
    probability R / M, and i - 1 places before it hold (i - 1) (R - 1) / (M - 1) on
    average. Summed up over the places, with H the M-th harmonic number, that is
    q + (1 - q) H / M, where q = (R - 1) / (M - 1).

    Args:
        relevant: R, at least 1.
        candidates: M.
    """
    harmonic = np.concatenate([[0], np.cumsum(1 / np.arange(1, candidates.max() + 1))])
    share = (relevant - 1) / np.maximum(candidates - 1, 1)
    of_all = harmonic[candidates.astype(np.int64)] / candidates
    return np.asarray(share + (1 - share) * of_all)


def _measure(
    values: Shaped[Floats, "n d"],
    labels: Shaped[Ints, " n"],
    identities: Shaped[Ints, " n"] | None,
) -> tuple[Shaped[NDArray[np.float64], "n 3"], Shaped[NDArray[np.float64], "n 3"]]:
    """The measures of each query, and what chance gives; NaN for none."""
    measured = np.full((len(labels), 3), np.nan)
    chance = np.full((len(labels), 3), np.nan)
    for rows, scores in cosine_blocks(values):
        if identities is not None:
            scores[identities[rows, None] == identities] = -np.inf
        relevant = (labels[rows, None] == labels) & np.isfinite(scores)
        found = relevant.sum(axis=1)
        some = found > 0
        scores, relevant, found = scores[some], relevant[some], found[some]
        candidates = np.isfinite(scores).sum(axis=1)
        rows_used = np.arange(rows.start, rows.stop)[some]
        if not len(rows_used):
            continue
        measured[rows_used, 0] = precision_at(1, scores, relevant)
        measured[rows_used, 1] = precision_at(10, scores, relevant)
        measured[rows_used, 2] = average_precision(scores, relevant)
        chance[rows_used, :2] = (found / candidates)[:, None]
        chance[rows_used, 2] = chance_average_precision(found, candidates)
    return measured, chance


def _macro(
    members: Shaped[Floats, "classes q"], measured: Shaped[Floats, "q 3"]
) -> Shaped[NDArray[np.float64], " 3"]:
    """Means over the classes, of which members are the weights."""
    weight = members.sum(axis=1)
    present = weight > 0  # in a resample, a small class may be missing
    means = (members @ measured)[present] / weight[present, None]
    return np.asarray(means.mean(axis=0))
