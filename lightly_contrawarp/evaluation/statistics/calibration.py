"""Calibration: is a classifier right as often as it says?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
from jaxtyping import Shaped
from pydantic import BeforeValidator

from lightly_contrawarp.evaluation.statistics.arrays import Floats, Ints, Mask

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


def _number(error: Any) -> Any:
    """The error alone, where an earlier version wrote an interval beside it."""
    return error.get("value") if isinstance(error, dict) else error


@dataclass(frozen=True)
class Calibration:
    """How far the confidence of predictions is from the share that is right.

    Attributes:
        error: Expected calibration error: mean over the items of the distance between
            accuracy and mean confidence of their bin; and then over the runs. It has no
            interval: chance alone adds to it, and would add again in each resample.
        reliability: The bins of the first run that have items, by confidence.
    """

    error: Annotated[float, BeforeValidator(_number)]
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
    distances = [
        np.abs(np.bincount(one, right - confidence.astype(np.float64))).sum()
        for one, (confidence, right) in zip(binned, runs, strict=True)
    ]
    confidence, right = runs[0]
    return Calibration(
        float(np.mean(distances) / len(confidence)),
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
