"""Bootstrap intervals: how far a number may be off because the test set is finite."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Shaped
from numpy.typing import ArrayLike, NDArray

from lightly_contrawarp.evaluation.statistics.arrays import Ints

Interval = tuple[float, float]

RESAMPLES = 1000
"""Resamples of every bootstrap."""


@dataclass(frozen=True)
class Estimate:
    """A measured number.

    Attributes:
        value: The number.
        interval: Its 95 % percentile bootstrap interval.
        chance: What features without any information would give.
    """

    value: float
    interval: Interval
    chance: float


def resample_counts(count: int) -> Iterator[Shaped[NDArray[np.int64], " n"]]:
    """Draws bootstrap resamples, the same ones at every call.

    Args:
        count: Number of things to resample, at least 1.

    Yields:
        `RESAMPLES` times how often each of ``count`` things is in the resample. Each
        array sums up to ``count``.
    """
    rng = np.random.default_rng(0)
    for _ in range(RESAMPLES):
        yield np.bincount(rng.integers(count, size=count), minlength=count)


def percentile_interval(statistics: ArrayLike) -> Interval:
    """The middle 95 % of a statistic's values on the resamples.

    Args:
        statistics: One value for each resample; values that are NaN, where the
            statistic is not defined on a resample, do not count.

    Returns:
        The lower and the upper end.
    """
    low, high = np.nanpercentile(np.asarray(statistics, dtype=np.float64), [2.5, 97.5])
    return float(low), float(high)


def grouped_interval(
    values: Shaped[NDArray[np.floating], " n"], groups: Shaped[Ints, " n"]
) -> Interval:
    """The interval of a mean if whole groups are resampled, such as people.

    Args:
        values: One value for each item.
        groups: The group of each item, from 0; a number may have no item.

    Returns:
        The lower and the upper end.
    """
    size, total = np.bincount(groups), np.bincount(groups, values)
    with np.errstate(invalid="ignore"):  # a resample of groups without an item
        means = [(c @ total) / (c @ size) for c in resample_counts(len(size))]
    return percentile_interval(means)


def bootstrap_interval(values: Shaped[NDArray[np.floating], " n"]) -> Interval:
    """The 95 % percentile bootstrap interval of a mean, the same at every call.

    Args:
        values: One value for each item.

    Returns:
        The lower and the upper end.
    """
    count = len(values)
    return percentile_interval([c @ values / count for c in resample_counts(count)])
