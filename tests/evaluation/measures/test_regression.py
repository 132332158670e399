import numpy as np
import pytest
from sklearn.linear_model import Ridge
from sklearn.metrics import r2_score
from sklearn.preprocessing import StandardScaler

from lightly_contrawarp.evaluation.measures.regression import ALPHAS, regression_probe

RNG = np.random.default_rng(0)
X = (RNG.standard_normal((400, 12)) * np.logspace(-2, 2, 12) + 3).astype(np.float32)
HIDDEN = StandardScaler().fit_transform(X) @ RNG.standard_normal((12, 3))
Y = HIDDEN + RNG.standard_normal((400, 3)) * (0.1, 2, 100)
TRAIN, TEST = (X[:300], Y[:300]), (X[300:], Y[300:])
NAMES = ("clear", "noisy", "noise")


def test_regression_probe__is_ridge_on_standardised_features() -> None:
    result = regression_probe(*TRAIN, *TEST, names=NAMES)
    scaler = StandardScaler().fit(TRAIN[0])
    for column, name in enumerate(NAMES):
        reference = Ridge(alpha=result.alphas[name])
        reference.fit(scaler.transform(TRAIN[0]), TRAIN[1][:, column])
        expected = r2_score(
            TEST[1][:, column], reference.predict(scaler.transform(TEST[0]))
        )
        assert result.targets[name].value == pytest.approx(expected, abs=1e-4)
        low, high = result.targets[name].interval
        assert low < result.targets[name].value < high
    values = [estimate.value for estimate in result.targets.values()]
    assert result.mean.value == pytest.approx(np.mean(values))
    assert values[0] > 0.95
    assert 0.3 < values[1] < 0.95
    assert values[2] < 0.1
    assert result.alphas["clear"] < result.alphas["noise"]
    assert set(result.alphas.values()) <= set(ALPHAS)


def test_regression_probe__never_chooses_on_the_test_set() -> None:
    shuffled = RNG.permutation(TEST[1])
    results = [
        regression_probe(*TRAIN, TEST[0], targets, names=NAMES)
        for targets in (TEST[1], shuffled)
    ]
    assert results[0].alphas == results[1].alphas
    assert results[0].mean.value > results[1].mean.value


def test_regression_probe__single_target() -> None:
    result = regression_probe(
        TRAIN[0], TRAIN[1][:, :1], TEST[0], TEST[1][:, :1], names=["clear"]
    )
    assert result.mean.value == result.targets["clear"].value > 0.95
