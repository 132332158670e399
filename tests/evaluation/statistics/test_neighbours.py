from collections.abc import Callable

import numpy as np
import pytest
import torch
from sklearn.metrics import average_precision_score
from torchmetrics.functional.retrieval import retrieval_precision

from lightly_contrawarp.evaluation.statistics import neighbours
from lightly_contrawarp.evaluation.statistics.neighbours import (
    average_precision,
    cosine_blocks,
    precision_at,
    unit_rows,
)

RNG = np.random.default_rng(0)
RELEVANT = RNG.random((12, 40)) < 0.3
CONTINUOUS = RNG.standard_normal((12, 40)).astype(np.float32)
COARSE = RNG.integers(5, size=(12, 40)).astype(np.float32)


def test_cosine_blocks__cover_every_pair_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(neighbours, "_QUERIES_AT_ONCE", 4)
    values = RNG.standard_normal((10, 3)) * 7
    values[3] = 0
    unit = values / np.maximum(np.linalg.norm(values, axis=1, keepdims=True), 1e-9)
    blocks = list(cosine_blocks(values))
    assert [scores.shape for _, scores in blocks] == [(4, 10), (4, 10), (2, 10)]
    cosines = np.concatenate([scores for _, scores in blocks])
    assert np.isneginf(np.diag(cosines)).all()
    apart = ~np.eye(10, dtype=bool)
    np.testing.assert_allclose(cosines[apart], (unit @ unit.T)[apart], atol=1e-6)
    assert unit_rows(values)[3].tolist() == [0, 0, 0]


@pytest.mark.parametrize("k", [1, 10, 40, 50])
def test_precision_at__is_that_of_torchmetrics(k: int) -> None:
    result = precision_at(k, CONTINUOUS, RELEVANT)
    for query in range(12):
        expected = retrieval_precision(
            torch.from_numpy(CONTINUOUS[query]).sigmoid(),  # it wants them above 0
            torch.from_numpy(RELEVANT[query]),
            top_k=min(k, 40),
        )
        assert result[query] == pytest.approx(float(expected))


@pytest.mark.parametrize("k", [1, 3, 10])
def test_precision_at__ties_are_broken_by_chance(k: int) -> None:
    result = precision_at(k, COARSE, RELEVANT)
    drawn = []
    for _ in range(3000):
        order = np.argsort(-COARSE + RNG.random(COARSE.shape) * 0.5, axis=1)[:, :k]
        drawn.append(np.take_along_axis(RELEVANT, order, axis=1).mean(axis=1))
    np.testing.assert_allclose(result, np.mean(drawn, axis=0), atol=0.04)


def test_precision_at__without_information_is_the_share() -> None:
    result = precision_at(7, np.zeros_like(COARSE), RELEVANT)
    np.testing.assert_allclose(result, RELEVANT.mean(axis=1))


@pytest.mark.parametrize("scores", [CONTINUOUS, COARSE])
def test_average_precision__is_that_of_scikit_learn(scores: np.ndarray) -> None:
    result = average_precision(scores, RELEVANT)
    for query in range(12):
        expected = average_precision_score(RELEVANT[query], scores[query])
        assert result[query] == pytest.approx(expected)


@pytest.mark.parametrize(
    "measure", [average_precision, lambda s, r: precision_at(10, s, r)]
)
def test_excluded_items_do_not_count(
    measure: Callable[[np.ndarray, np.ndarray], np.ndarray],
) -> None:
    candidate = RNG.random((12, 40)) < 0.5
    candidate[0] = candidate[1] = False
    candidate[1, :4] = True  # fewer than ten
    scores = np.where(candidate, COARSE, -np.inf).astype(np.float32)
    result = measure(scores, RELEVANT)
    assert np.isnan(result[0])
    for query in range(1, 12):
        kept = candidate[query]
        alone = measure(COARSE[query][kept][None], RELEVANT[query][kept][None])
        np.testing.assert_allclose(result[query], alone[0])
