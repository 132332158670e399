import numpy as np
import pytest
from sklearn.linear_model import Ridge
from sklearn.metrics import r2_score
from sklearn.preprocessing import StandardScaler

from contrawarp_edge.core.errors import InputError
from lightly_contrawarp.evaluation.measures.regression import ALPHAS, regression_probe

RNG = np.random.default_rng(0)
X = (RNG.standard_normal((400, 12)) * np.logspace(-2, 2, 12) + 3).astype(np.float32)
HIDDEN = StandardScaler().fit_transform(X) @ RNG.standard_normal((12, 3))
Y = HIDDEN + RNG.standard_normal((400, 3)) * (0.1, 2, 100)
NAMES = ("clear", "noisy", "noise")
TRAIN, TEST = (
    (X[rows], dict(zip(NAMES, Y[rows].T, strict=True)))
    for rows in (slice(300), slice(300, None))
)


def test_regression_probe__is_ridge_on_standardised_features() -> None:
    result = regression_probe(*TRAIN, *TEST)
    scaler = StandardScaler().fit(TRAIN[0])
    for name in NAMES:
        reference = Ridge(alpha=result.alphas[name])
        reference.fit(scaler.transform(TRAIN[0]), TRAIN[1][name])
        expected = r2_score(TEST[1][name], reference.predict(scaler.transform(TEST[0])))
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
    order = RNG.permutation(100)
    shuffled = {name: values[order] for name, values in TEST[1].items()}
    results = [
        regression_probe(*TRAIN, TEST[0], targets) for targets in (TEST[1], shuffled)
    ]
    assert results[0].alphas == results[1].alphas
    assert results[0].mean.value > results[1].mean.value


def test_regression_probe__single_target() -> None:
    one = {"clear": TEST[1]["clear"]}
    result = regression_probe(TRAIN[0], {"clear": TRAIN[1]["clear"]}, TEST[0], one)
    assert result.mean.value == result.targets["clear"].value > 0.95


def test_regression_probe__constant_target() -> None:
    still = {**TEST[1], "noise": np.full(100, 0.3, dtype=np.float32)}
    with pytest.raises(InputError, match="noise: the same for all test images"):
        regression_probe(*TRAIN, TEST[0], still)
