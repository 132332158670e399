from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from contrawarp_edge import Gallery, ModelInfo, Record
from contrawarp_edge.analysis import dedupe
from contrawarp_edge.analysis.dedupe import duplicate_groups
from contrawarp_edge.gallery.embeddings.matrix import Matrix


def matrix_of(vectors: np.ndarray, path: Path, info: ModelInfo) -> Matrix:
    with Gallery.create(path, info) as gallery:
        gallery.add(Record(str(row), "", v) for row, v in enumerate(vectors))
        return gallery.matrix()


@pytest.mark.parametrize("block", [1, 10, 64, 4096])
def test_against_one_by_one(
    block: int, tmp_path: Path, info: ModelInfo, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dedupe, "_BLOCK", block)
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(30, 8))[rng.integers(0, 30, 300)]
    vectors = (vectors + 0.15 * rng.normal(size=(300, 8))).astype(np.float32)
    matrix = matrix_of(vectors, tmp_path / "a", info)
    stored = matrix.take(matrix.all_ids())

    kept: list[int] = []
    expected: dict[int, list[int]] = {}
    for row, vector in enumerate(stored):
        like = [first for first in kept if stored[first] @ vector >= 0.97]
        if like:
            expected.setdefault(like[0] + 1, []).append(row + 1)
        else:
            kept.append(row)

    done = []
    groups = duplicate_groups(matrix, 0.97, done.append)
    assert {g.kept: [id for id, _ in g.others] for g in groups} == expected
    assert len(expected) > 10
    assert done[-1] == 300
    for group in groups:
        for id, score in group.others:
            assert score == pytest.approx(stored[id - 1] @ stored[group.kept - 1])


def test_nothing_double(tmp_path: Path, info: ModelInfo) -> None:
    assert duplicate_groups(matrix_of(np.eye(8), tmp_path / "a", info), 0.9) == []
    assert (
        duplicate_groups(matrix_of(np.empty((0, 8)), tmp_path / "b", info), 0.9) == []
    )
