from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score

from contrawarp_edge import Gallery, InputError, ModelInfo, Record
from contrawarp_edge.analysis import cluster as module
from contrawarp_edge.analysis.cluster import cluster
from contrawarp_edge.gallery.embeddings.matrix import Matrix


def matrix_of(vectors: np.ndarray, path: Path, info: ModelInfo) -> Matrix:
    with Gallery.create(path, info) as gallery:
        gallery.add(Record(str(row), "", v) for row, v in enumerate(vectors))
        return gallery.matrix()


def grouped(count: int, groups: int, noise: float) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(1)
    labels = rng.integers(0, groups, count)
    centres = rng.normal(size=(groups, 8))
    return centres[labels] + noise * rng.normal(size=(count, 8)), labels


@pytest.mark.parametrize("block", [50, 16384])
def test_finds_groups(
    block: int, tmp_path: Path, info: ModelInfo, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_BLOCK", block)
    monkeypatch.setattr(module, "_SAMPLE", 200)
    vectors, labels = grouped(500, 6, 0.15)
    found = cluster(matrix_of(vectors, tmp_path / "a", info), 6)
    assert adjusted_rand_score(labels, found.labels) > 0.98
    sizes = np.bincount(found.labels)
    assert sizes.tolist() == sorted(sizes, reverse=True)
    assert found.ids.tolist() == list(range(1, 501))
    np.testing.assert_allclose(np.linalg.norm(found.centres, axis=1), 1, atol=1e-6)


def test_is_as_good_as_scikit_learn(tmp_path: Path, info: ModelInfo) -> None:
    vectors, _ = grouped(800, 5, 1.0)  # without clear groups
    matrix = matrix_of(vectors, tmp_path / "a", info)
    stored = matrix.take(matrix.all_ids())
    found = cluster(matrix, 7)
    reference = KMeans(7, n_init=10, random_state=0).fit(stored)
    centres = reference.cluster_centers_
    centres /= np.linalg.norm(centres, axis=1, keepdims=True)
    best = (stored @ centres.T).max(axis=1).mean()
    assert found.scores.mean() > 0.99 * best


def test_scores_and_members(tmp_path: Path, info: ModelInfo) -> None:
    vectors, _ = grouped(100, 3, 0.3)
    matrix = matrix_of(vectors, tmp_path / "a", info)
    found = cluster(matrix, 3)
    ids, scores = found.members(0)
    assert set(ids) == set(found.ids[found.labels == 0])
    assert (np.diff(scores) <= 0).all()
    expected = matrix.take(ids) @ found.centres[0]
    np.testing.assert_allclose(scores, expected, atol=1e-5)
    again = cluster(matrix, 3)
    np.testing.assert_array_equal(again.labels, found.labels)


def test_equal_images_and_too_few(tmp_path: Path, info: ModelInfo) -> None:
    matrix = matrix_of(np.ones((4, 8)), tmp_path / "a", info)
    assert cluster(matrix, 3).scores == pytest.approx(np.ones(4))
    with pytest.raises(InputError, match="5 groups cannot be made of 4 images"):
        cluster(matrix, 5)
