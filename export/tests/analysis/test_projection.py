from __future__ import annotations

import sys

import numpy as np
import pytest
from sklearn.decomposition import PCA
from sklearn.manifold import trustworthiness

from contrawarp_edge import InputError
from contrawarp_edge.analysis.projection import pca, tsne


def test_pca_against_scikit_learn() -> None:
    rng = np.random.default_rng(0)
    vectors = (rng.normal(size=(300, 20)) * np.arange(1, 21)).astype(np.float32)
    points, share = pca(vectors)
    model = PCA(2, svd_solver="full").fit(vectors.astype(float))
    expected = model.transform(vectors.astype(float))
    signs = np.sign((points * expected).sum(axis=0))
    np.testing.assert_allclose(points, expected * signs, atol=1e-6)
    assert share == pytest.approx(model.explained_variance_ratio_.sum())


@pytest.mark.parametrize("shape", [(1, 8), (2, 8), (5, 1)])
def test_pca_of_little(shape: tuple[int, int]) -> None:
    points, share = pca(np.ones(shape, np.float32))
    assert points.shape == (shape[0], 2)
    assert np.abs(points).max() < 1e-6
    assert share == 1


def test_tsne_keeps_neighbours() -> None:
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(4, 16))[rng.integers(0, 4, 120)]
    vectors = (vectors + 0.1 * rng.normal(size=(120, 16))).astype(np.float32)
    points = tsne(vectors)
    assert trustworthiness(vectors, points, n_neighbors=5, metric="cosine") > 0.9
    with pytest.raises(InputError, match="at least 4"):
        tsne(vectors[:3])


def test_tsne_without_scikit_learn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sklearn.manifold", None)  # type: ignore[arg-type]
    with pytest.raises(InputError, match=r"contrawarp-edge\[tsne\]"):
        tsne(np.ones((9, 4), np.float32))
