"""What a linear map reads from frozen features where the targets are numbers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Shaped
from numpy.typing import NDArray
from sklearn.linear_model import RidgeCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from contrawarp_edge.core.errors import NotApplicableError
from lightly_contrawarp.evaluation.statistics.arrays import Floats
from lightly_contrawarp.evaluation.statistics.intervals import (
    Estimate,
    percentile_interval,
    resample_counts,
)
from lightly_contrawarp.evaluation.tables import Table, encoder_table, estimate_cell

ALPHAS: tuple[float, ...] = tuple(10.0**power for power in range(-2, 6))
"""Strengths of the L2 penalty that the regression probe chooses from."""


@dataclass(frozen=True)
class RegressionResult:
    """The regression probe; R2 is 1 for a perfect fit and 0 for a constant.

    Attributes:
        targets: R2 of each target on the test set.
        mean: Mean of R2 over the targets.
        alphas: The chosen strength of the penalty for each target.
    """

    targets: dict[str, Estimate]
    mean: Estimate
    alphas: dict[str, float]


def regression_probe(
    train_x: Shaped[Floats, "n d"],
    train_y: Mapping[str, Shaped[Floats, " n"]],
    test_x: Shaped[Floats, "t d"],
    test_y: Mapping[str, Shaped[Floats, " t"]],
) -> RegressionResult:
    """Fits ridge regression on standardised features.

    The penalty of each target is chosen from `ALPHAS` by leave-one-out error on the
    training set. Intervals come from resampling the test items.

    Args:
        train_x: Features to learn from, float32.
        train_y: Their targets by name; at least one.
        test_x: Features to be scored on, likewise.
        test_y: The same targets of these.

    Raises:
        NotApplicableError: If a target is the same number on all test items.
    """
    names = list(train_y)
    truth = np.stack([test_y[name] for name in names], axis=1)
    if constant := [name for name in names if np.ptp(test_y[name]) == 0]:
        raise NotApplicableError(
            f"{', '.join(constant)}: the same for all test images, so there is no R2"
        )
    ridge = RidgeCV(alphas=ALPHAS, alpha_per_target=True)
    with threadpool_limits(1, user_api="blas"):
        probe = make_pipeline(StandardScaler(), ridge).fit(
            train_x.astype(np.float64),
            np.stack([train_y[name] for name in names], axis=1).astype(np.float64),
        )
        predicted = probe.predict(test_x.astype(np.float64)).reshape(truth.shape)
    errors = (truth - predicted) ** 2
    r2 = _r2(np.ones(len(truth)), truth, errors)
    resampled = np.array(
        [_r2(counts, truth, errors) for counts in resample_counts(len(truth))]
    )
    return RegressionResult(
        targets={
            name: Estimate(float(value), percentile_interval(column), chance=0.0)
            for name, value, column in zip(names, r2, resampled.T, strict=True)
        },
        mean=Estimate(
            float(r2.mean()), percentile_interval(resampled.mean(axis=1)), chance=0.0
        ),
        alphas=dict(zip(names, np.atleast_1d(ridge.alpha_).tolist(), strict=True)),
    )


def table(results: Mapping[str, RegressionResult]) -> Table:
    """Lays out results by the name of the encoder; all have the same targets."""

    def cell(target: str) -> Callable[[RegressionResult], str]:
        return lambda result: f"{result.targets[target].value:.3f}"

    return encoder_table(
        "Actions of drawn faces",
        "R2 of ridge regression: 1 is perfect, 0 is the mean.",
        results,
        {
            "mean": lambda result: estimate_cell(result.mean, "{:.3f}".format),
            **{
                target.replace("_", " "): cell(target)
                for target in next(iter(results.values())).targets
            },
        },
    )


def _r2(
    weights: Shaped[NDArray[np.floating], " t"] | Shaped[NDArray[np.int64], " t"],
    truth: Shaped[Floats, "t targets"],
    errors: Shaped[Floats, "t targets"],
) -> Shaped[NDArray[np.float64], " targets"]:
    """R2 of each target."""
    mean = np.average(truth, axis=0, weights=weights)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(1 - weights @ errors / (weights @ (truth - mean) ** 2))
