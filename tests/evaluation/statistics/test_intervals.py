import numpy as np
import pytest
from scipy.stats import bootstrap

from lightly_contrawarp.evaluation.statistics.intervals import (
    RESAMPLES,
    bootstrap_interval,
    percentile_interval,
    resample_counts,
)


def test_bootstrap_interval__is_near_the_normal_one() -> None:
    values = (np.arange(1000) < 600).astype(float)
    low, high = bootstrap_interval(values)
    half = 1.96 * np.sqrt(0.6 * 0.4 / 1000)
    assert (low, high) == pytest.approx((0.6 - half, 0.6 + half), abs=0.004)
    assert (low, high) == bootstrap_interval(values)


def test_bootstrap_interval__is_near_scipys() -> None:
    values = np.random.default_rng(0).exponential(size=200)
    reference = bootstrap(
        (values,), np.mean, method="percentile", n_resamples=5000, rng=1
    ).confidence_interval
    assert bootstrap_interval(values) == pytest.approx(
        (reference.low, reference.high), abs=0.02
    )


def test_resample_counts__draw_with_replacement() -> None:
    drawn = np.array(list(resample_counts(50)))
    assert drawn.shape == (RESAMPLES, 50)
    assert (drawn.sum(axis=1) == 50).all()
    # How often one thing is drawn is binomial with mean 1 and variance 1 - 1 / 50.
    assert drawn.mean(axis=0) == pytest.approx(np.ones(50), abs=0.15)
    assert drawn.var() == pytest.approx(0.98, abs=0.03)


def test_percentile_interval__passes_over_what_is_not_defined() -> None:
    statistics = [*range(101), np.nan]
    assert percentile_interval(statistics) == (2.5, 97.5)
