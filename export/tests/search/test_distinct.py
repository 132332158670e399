from __future__ import annotations

import numpy as np
import pytest

from contrawarp_edge.search import distinct
from contrawarp_edge.search.distinct import first_distinct, kept_hits
from contrawarp_edge.search.nearest import top_k


def unit(count: int, dim: int = 6, seed: int = 0) -> np.ndarray:
    vectors = np.random.default_rng(seed).normal(size=(count, dim))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def greedy(vectors: np.ndarray, limit: float, most: int) -> list[int]:
    """Row by row, without blocks."""
    chosen: list[int] = []
    for row, vector in enumerate(vectors):
        if len(chosen) < most and all(vectors[c] @ vector < limit for c in chosen):
            chosen.append(row)
    return chosen


@pytest.mark.parametrize("block", [1, 7, 512])
@pytest.mark.parametrize("limit", [0.3, 0.7, 0.95, 1.1])
@pytest.mark.parametrize("most", [1, 9, 1000])
def test_first_distinct(
    block: int, limit: float, most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(distinct, "_BLOCK", block)
    vectors = unit(200)
    found = first_distinct(vectors, limit, most)
    assert found.tolist() == greedy(vectors, limit, most)


def test_kept_hits_look_as_deep_as_needed() -> None:
    some = unit(40, seed=3)
    vectors = np.repeat(some, 50, axis=0)  # fifty copies of each
    (query,) = unit(1, seed=4)
    depths = []

    def find(wanted: int) -> tuple[np.ndarray, np.ndarray]:
        depths.append(wanted)
        return top_k(vectors, query[None], wanted)[0]

    ids, scores = kept_hits(find, lambda ids: vectors[ids], 5, distinct=0.999)
    order = np.argsort(-(some @ query))[:5]
    assert ids.tolist() == (order * 50).tolist()
    np.testing.assert_allclose(scores, (some @ query)[order], atol=1e-6)
    assert depths == [5, 20, 80, 320]

    (all_ids, _) = kept_hits(find, lambda ids: vectors[ids], 99, distinct=0.999)
    assert len(all_ids) == 40


def test_min_score_and_exclude() -> None:
    vectors = unit(100)
    (query,) = unit(1, seed=4)
    scores = (vectors @ query).astype(float)
    order = np.argsort(-scores)
    left_out = [int(order[0]), int(order[3])]
    ids, found = kept_hits(
        lambda wanted: top_k(vectors, query[None], wanted)[0],
        lambda ids: vectors[ids],
        50,
        min_score=0.4,
        exclude=left_out,
    )
    expected = [i for i in order if scores[i] >= 0.4 and i not in left_out][:50]
    assert ids.tolist() == expected
    assert (found >= 0.4).all()
