from __future__ import annotations

import numpy as np
import pytest

from contrawarp_edge.align.geometry import (
    angle_of,
    fit_similarity,
    inverse,
    scale_of,
    transform,
)


@pytest.mark.parametrize("seed", range(5))
def test_agrees_with_scikit_image(seed: int) -> None:
    estimate = pytest.importorskip("skimage.transform").estimate_transform
    rng = np.random.default_rng(seed)
    source, target = rng.normal(size=(2, 5, 2)) * 100
    expected = estimate("similarity", source, target)
    matrix = fit_similarity(source, target)
    np.testing.assert_allclose(matrix, expected.params[:2], rtol=1e-9, atol=1e-9)
    assert scale_of(matrix) == pytest.approx(expected.scale)
    assert angle_of(matrix) == pytest.approx(expected.rotation)


def test_recovers_a_known_transform_and_its_inverse() -> None:
    points = np.random.default_rng(0).normal(size=(5, 2))
    a = 3 * np.exp(2j)
    known = np.array([[a.real, -a.imag, 7], [a.imag, a.real, -4]])
    found = fit_similarity(points, transform(known, points))
    np.testing.assert_allclose(found, known)
    np.testing.assert_allclose(
        transform(inverse(known), transform(known, points)), points
    )


def test_never_mirrors() -> None:
    points = np.array([[0, 0], [1, 0], [0, 1.0]])
    matrix = fit_similarity(points, points * [-1, 1])
    assert np.linalg.det(matrix[:, :2]) >= 0
