"""Landmarks: least squares, five and 68 points, and filling in."""

from pathlib import Path

import numpy as np
import pytest
import torch

from contrawarp_edge.align.crop import FACE_CROP, FIVE_POINTS
from lightly_contrawarp.transforms.geometry.landmarks import (
    from_five_points,
    landmarks_of,
    similarity,
    template_points,
    turn,
)

NAMES = list(FACE_CROP.landmarks)
FIVE = [NAMES.index(name) for name in FIVE_POINTS]


def moved(scale: float, degrees: float, shift: tuple[float, float]) -> torch.Tensor:
    """The template, scaled and rotated about its origin with NumPy, then shifted."""
    angle = np.deg2rad(degrees)
    matrix = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    points = scale * template_points().double().numpy() @ matrix.T + shift
    return torch.from_numpy(points)


def test_similarity_is_the_least_squares_solution() -> None:
    rng = np.random.default_rng(0)
    template, points = rng.random((6, 2)), rng.random((3, 6, 2))
    actual = similarity(torch.from_numpy(template), torch.from_numpy(points))
    for one, (cos, sin) in zip(points, actual.tolist(), strict=True):
        x, y = template.T
        one_, zero = np.ones(6), np.zeros(6)
        rows = np.concatenate(
            [np.stack([x, -y, one_, zero], 1), np.stack([y, x, zero, one_], 1)]
        )
        expected = np.linalg.lstsq(rows, np.concatenate([*one.T]), rcond=None)[0]
        assert (cos, sin) == pytest.approx(tuple(expected[:2]))


def test_turn_is_a_complex_product() -> None:
    rng = np.random.default_rng(1)
    vectors, factor = rng.random((2, 3, 2)), rng.random((2, 2))
    expected = (vectors @ [1, 1j]) * (factor @ [1, 1j])[:, None]
    actual = turn(torch.from_numpy(vectors), torch.from_numpy(factor)).numpy()
    np.testing.assert_allclose(actual @ [1, 1j], expected)


def test_five_points_of_a_moved_template_give_all_of_it() -> None:
    points = moved(0.7, 25, (0.2, -0.1))
    found = from_five_points(points[None, FIVE])
    torch.testing.assert_close(found[0], points)


def test_brows_follow_their_own_eye() -> None:
    face = template_points()[None, FIVE].clone()
    face[0, 0] += torch.tensor([0.0, 0.05])
    found = dict(zip(NAMES, from_five_points(face)[0], strict=True))
    lower = found["left_brow"][1] - found["right_brow"][1]
    assert float(lower) == pytest.approx(0.05, abs=0.01)
    assert torch.equal(found["left_eye"], face[0, 0])


def test_what_is_not_known_is_the_template() -> None:
    own = torch.rand(8, 2)
    a, b = Path("a"), Path("b")
    filled = landmarks_of([a, b, a], {b: own})
    assert torch.equal(filled[1], own)
    assert torch.equal(filled[0], torch.tensor(list(FACE_CROP.landmarks.values())))
    assert landmarks_of([], {}).shape == (0, 8, 2)
