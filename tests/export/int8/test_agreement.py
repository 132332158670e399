"""Agreement of two models, against scikit-learn and on files."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from sklearn.neighbors import NearestNeighbors

from contrawarp_edge import Embedder, InputError
from lightly_contrawarp.export.int8.agreement import (
    measure_agreement,
    neighbour_overlap,
)


def nearest(values: np.ndarray, k: int) -> list[set[int]]:
    search = NearestNeighbors(n_neighbors=k + 1, metric="cosine").fit(values)
    found = search.kneighbors(values, return_distance=False)
    return [set(row.tolist()) - {i} for i, row in enumerate(found)]


@pytest.mark.parametrize("k", [1, 5])
def test_overlap_is_that_of_scikit_learn(k: int) -> None:
    rng = np.random.default_rng(0)
    first = rng.normal(size=(300, 8)).astype(np.float32)
    second = (first + 0.3 * rng.normal(size=first.shape)).astype(np.float32)
    expected = [
        len(a & b) / k
        for a, b in zip(nearest(first, k), nearest(second, k), strict=True)
    ]
    actual = neighbour_overlap(first, second, k)
    np.testing.assert_allclose(actual, expected)
    assert 0.2 < actual.mean() < 0.9
    assert (neighbour_overlap(first, 3 * first, k) == 1).all()


def test_a_model_agrees_with_itself(
    fp32: Embedder,
    photos: list[Path],
    progress: tuple[list[int], Callable[[int], None]],
) -> None:
    broken = photos[0].with_name("broken.png")
    broken.write_bytes(b"no picture")
    seen, report = progress
    found, unreadable = measure_agreement(
        fp32, fp32, [broken, *photos[:120]], on_progress=report
    )
    broken.unlink()
    assert (found.images, found.nearest) == (120, 10)
    assert found.overlap.value == 1
    assert found.overlap.interval == (1, 1)
    assert found.overlap.chance == pytest.approx(10 / 119)
    assert found.lowest_cosine == pytest.approx(1, abs=1e-5)
    assert unreadable == [f"{broken}: not an image that Pillow can read"]
    assert seen == sorted(seen)
    assert seen[-1] == 2 * 121


def test_too_few_usable_images(fp32: Embedder, photos: list[Path]) -> None:
    missing = [path.with_name(f"none{path.name}") for path in photos[:30]]
    with pytest.raises(InputError, match=r"only 90 images .* first problem: .*none"):
        measure_agreement(fp32, fp32, photos[:90] + missing)
