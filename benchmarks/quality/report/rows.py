"""Rows of the tables: the runs of one variant, and means over their seeds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

ABSOLUTE = ("lfw_auc", "lfw_identity", "calibration")
"""Scores that are no percentages."""


@dataclass(frozen=True)
class Mean:
    """A mean over seeds, and an interval of 95 %.

    Attributes:
        value: The mean.
        low: Lower end. With three seeds or more, the t interval over the seeds; with
            fewer, that of the images or people, the mean over the runs; NaN if unknown.
        high: Upper end.
        count: Number of values.
    """

    value: float
    low: float = float("nan")
    high: float = float("nan")
    count: int = 1

    @classmethod
    def of(cls, values: Sequence[float], intervals: ArrayLike = ()) -> Mean:
        """The mean of at least one value, and the intervals of each, if known."""
        mean, count = float(np.mean(values)), len(values)
        if count > 2:
            quantile = stats.t.ppf(0.975, count - 1)
            half = float(quantile * np.std(values, ddof=1) / np.sqrt(count))
            return cls(mean, mean - half, mean + half, count)
        if np.size(intervals):
            low, high = np.mean(np.asarray(intervals), axis=0)
            return cls(mean, float(low), float(high), count)
        return cls(mean, count=count)

    def is_apart_from(self, other: Mean) -> bool:
        """Whether the two intervals do not touch; never without intervals."""
        return self.low > other.high or other.low > self.high


@dataclass(frozen=True)
class Row:
    """All finished runs of one variant in one part."""

    name: str
    says: str
    runs: list[dict[str, Any]]

    def mean(self, key: str, features: str = "embedding") -> Mean | None:
        """A score over the seeds, in percent unless it is ``ABSOLUTE``.

        Args:
            key: Name of the score.
            features: ``embedding`` or ``pooled``.

        Returns:
            None if no run has it.
        """
        factor = 1 if key in ABSOLUTE else 100
        scores = [run["scores"].get(features, {}) for run in self.runs]
        known = [one for one in scores if key in one]
        if not known:
            return None
        intervals = [one.get(f"{key}_interval") for one in known]
        return Mean.of(
            [factor * one[key] for one in known],
            [] if None in intervals else factor * np.array(intervals),
        )

    @property
    def commits(self) -> set[str]:
        """The versions of the code that its runs were made with."""
        return {run["commit"] for run in self.runs}

    @property
    def minutes(self) -> float:
        """Mean training time."""
        return float(np.mean([run["seconds"] for run in self.runs])) / 60

    @property
    def epochs(self) -> float:
        """Mean number of passes over the training images."""
        return float(np.mean([run["epochs"] for run in self.runs]))


def digits_of(key: str) -> int:
    """Decimals that a score is given with."""
    return 3 if key in ABSOLUTE else 1


def cell(row: Row, key: str, features: str = "embedding") -> str:
    """A score in words: ± half an interval over three seeds or more, else both ends."""
    mean = row.mean(key, features)
    if mean is None:
        return "-"
    digits = digits_of(key)
    if mean.count > 2:
        return f"{mean.value:.{digits}f} ± {mean.high - mean.value:.{digits}f}"
    if np.isnan(mean.low):
        return f"{mean.value:.{digits}f}"
    return f"{mean.value:.{digits}f} ({mean.low:.{digits}f} to {mean.high:.{digits}f})"


def gain(row: Row, base: Row, key: str) -> str:
    """Mean difference to the base in points, over the seeds that both have."""
    reference = {run["seed"]: run["scores"]["embedding"][key] for run in base.runs}
    pairs = [
        100 * (run["scores"]["embedding"][key] - reference[run["seed"]])
        for run in row.runs
        if run["seed"] in reference
    ]
    return f"{np.mean(pairs):+.1f}" if pairs else "-"


def compare(one: Row, other: Row, key: str, label: str) -> str | None:
    """A sentence on how two rows differ; None if one has no such score."""
    a, b = one.mean(key), other.mean(key)
    if a is None or b is None:
        return None
    digits, unit = digits_of(key), "" if key in ABSOLUTE else " points"
    touch = "do not touch" if a.is_apart_from(b) else "touch"
    mixed = "; of several commits" if len(one.commits | other.commits) > 1 else ""
    return (
        f"{label}: `{one.name}` {a.value:.{digits}f}, `{other.name}` "
        f"{b.value:.{digits}f}: {a.value - b.value:+.{digits}f}{unit}; intervals "
        f"{touch}{mixed}."
    )
