"""Calibration: is a classifier right as often as it says?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Shaped

from lightly_contrawarp.evaluation.statistics.arrays import Floats, Ints, Mask
from lightly_contrawarp.evaluation.statistics.intervals import (
    Estimate,
    percentile_interval,
    resample_counts,
)

BINS = 15
"""Number of bins of equal width that confidences fall into."""


@dataclass(frozen=True)
class ReliabilityBin:
    """The items whose confidence lies in one of the bins.

    Attributes:
        images: Number of items.
        confidence: Their mean confidence.
        accuracy: Share of them that is right.
    """

    images: int
    confidence: float
    accuracy: float


@dataclass(frozen=True)
class Calibration:
    """How far the confidence of predictions is from the share that is right.

    Attributes:
        error: Expected calibration error: mean over the items of the distance between
            accuracy and mean confidence of their bin; and then over the runs.
        reliability: The bins of the first run that have items, by confidence.
    """

    error: Estimate
    reliability: list[ReliabilityBin]


def calibration(
    runs: Sequence[tuple[Shaped[Floats, " n"], Shaped[Mask, " n"]]],
) -> Calibration:
    """Measures the calibration of several runs on the same items.

    Args:
        runs: Of each the probability that it gives to the class that it predicts,
            from 0 to 1, and whether that class is right.
    """
    binned = [_bins(confidence) for confidence, _ in runs]
    gaps: list[Floats] = [
        right - confidence.astype(np.float64) for confidence, right in runs
    ]

    def error(counts: Shaped[Ints, " n"]) -> float:
        distances = [
            np.abs(np.bincount(one, counts * gap)).sum()
            for one, gap in zip(binned, gaps, strict=True)
        ]
        return float(np.mean(distances) / counts.sum())

    count = len(binned[0])
    confidence, right = runs[0]
    # Without any information a probe says the shares of the classes: nothing is off.
    return Calibration(
        Estimate(
            error(np.ones(count, np.int64)),
            percentile_interval([error(c) for c in resample_counts(count)]),
            chance=0.0,
        ),
        [
            ReliabilityBin(
                int((binned[0] == one).sum()),
                float(confidence[binned[0] == one].mean()),
                float(right[binned[0] == one].mean()),
            )
            for one in np.unique(binned[0])
        ],
    )


def _bins(confidence: Shaped[Floats, " n"]) -> Shaped[Ints, " n"]:
    return np.minimum((confidence * BINS).astype(np.int64), BINS - 1)
