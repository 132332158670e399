from __future__ import annotations

import numpy as np
import pytest
from sklearn.neighbors import NearestNeighbors

from contrawarp_edge.search import nearest
from contrawarp_edge.search.nearest import top_k


def unit(count: int, dim: int, seed: int = 0) -> np.ndarray:
    vectors = np.random.default_rng(seed).normal(size=(count, dim))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


@pytest.fixture(params=[35, 320, 1 << 20])
def _blocks(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nearest, "_BLOCK_SCORES", request.param)
    monkeypatch.setattr(nearest, "_BLOCK_QUERIES", 5)


@pytest.mark.usefixtures("_blocks")
@pytest.mark.parametrize("k", [1, 10, 500, 2000])
def test_against_scikit_learn(k: int) -> None:
    vectors, queries = unit(1000, 32), unit(12, 32, seed=1)
    wanted = min(k, 1000)
    finder = NearestNeighbors(metric="cosine", algorithm="brute").fit(vectors)
    distances, rows = finder.kneighbors(queries, n_neighbors=wanted)
    found = top_k(vectors, queries, k)
    np.testing.assert_allclose([s for _, s in found], 1 - distances, atol=1e-6)
    agreement = np.mean([r for r, _ in found] == rows)
    assert agreement > 0.99  # neighbours closer than float32 resolves may swap


@pytest.mark.usefixtures("_blocks")
def test_ties_go_to_the_lower_row() -> None:
    vectors = np.tile(unit(3, 33), (40, 1))
    for rows, scores in top_k(vectors, unit(6, 33, seed=2), 25):
        best = rows[0]
        assert best < 3
        np.testing.assert_array_equal(rows, best + 3 * np.arange(25))
        assert len(set(scores)) == 1


@pytest.mark.usefixtures("_blocks")
def test_chosen_rows() -> None:
    vectors, queries = unit(300, 8), unit(4, 8, seed=3)
    chosen = np.arange(0, 300, 7)
    for query, (rows, _) in zip(
        queries, top_k(vectors, queries, 5, chosen), strict=True
    ):
        order = np.argsort(-(vectors[chosen].astype(float) @ query), kind="stable")[:5]
        np.testing.assert_array_equal(rows, chosen[order])


def test_nothing_to_search() -> None:
    ((rows, scores),) = top_k(unit(0, 4), unit(1, 4), 3)
    assert len(rows) == len(scores) == 0
