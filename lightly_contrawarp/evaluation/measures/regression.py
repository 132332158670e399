"""What a linear map reads from frozen features where the targets are numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import RidgeCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from lightly_contrawarp.evaluation.measures.linear_probe import Values
from lightly_contrawarp.evaluation.statistics.intervals import (
    Estimate,
    percentile_interval,
    resample_counts,
)

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
    train_x: Values,
    train_y: Values,
    test_x: Values,
    test_y: Values,
    *,
    names: Sequence[str],
) -> RegressionResult:
    """Fits ridge regression on standardised features.

    The penalty of each target is chosen from `ALPHAS` by leave-one-out error on the
    training set. Intervals come from resampling the test items.

    Args:
        train_x: float32 of shape ``(N, D)``.
        train_y: Targets, float32 of shape ``(N, T)``.
        test_x: float32 of shape ``(M, D)``.
        test_y: Targets, float32 of shape ``(M, T)``, none of them constant.
        names: The T names of the targets.
    """
    ridge = RidgeCV(alphas=ALPHAS, alpha_per_target=True)
    with threadpool_limits(1, user_api="blas"):
        probe = make_pipeline(StandardScaler(), ridge).fit(
            train_x.astype(np.float64), train_y.astype(np.float64)
        )
        predicted = probe.predict(test_x.astype(np.float64)).reshape(test_y.shape)
    errors = (test_y - predicted) ** 2
    r2 = _r2(np.ones(len(test_y)), test_y, errors)
    resampled = np.array(
        [_r2(counts, test_y, errors) for counts in resample_counts(len(test_y))]
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


def _r2(
    weights: NDArray[np.floating] | NDArray[np.int64], truth: Values, errors: Values
) -> NDArray[np.float64]:
    """R2 of each target, with weights ``(M,)``; truth and errors are ``(M, T)``."""
    mean = np.average(truth, axis=0, weights=weights)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(1 - weights @ errors / (weights @ (truth - mean) ** 2))
