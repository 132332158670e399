from __future__ import annotations

import numpy as np
import pytest

from contrawarp_edge.align.crop import FACE_CROP
from contrawarp_edge.align.geometry import crop_to_photo, cut_out, outside_share

WHOLE = (0.0, 0.0, 1.0, 1.0)


def similarity(scale: float, angle: float, x: float, y: float) -> np.ndarray:
    a = scale * np.exp(1j * angle)
    return np.array([[a.real, -a.imag, x], [a.imag, a.real, y]])


@pytest.mark.parametrize("scale", [30.0, 64.0, 150.0, 200.0])
@pytest.mark.parametrize("angle", [0.0, 0.4, -2.0])
@pytest.mark.parametrize("axis", [0, 1])
def test_a_ramp_stays_a_ramp(scale: float, angle: float, axis: int) -> None:
    """On a linear picture the value at each pixel is known: sampling is in place.

    The second channel falls where the first rises, so that roundings cancel out.
    """
    matrix = similarity(scale, angle, 0, 0)
    matrix[:, 2] = np.array([150, 150]) - matrix[:, :2] @ [0.5, 0.5]
    ramp = 0.8 * (np.indices((300, 300))[1 - axis] + 0.5)
    pixels = np.rint(np.stack([ramp, 240 - ramp, ramp], -1)).astype(np.uint8)
    places = (np.arange(64) + 0.5) / 64
    grid = np.stack(np.meshgrid(places, places), -1)
    expected = 0.8 * (grid @ matrix[:, :2].T + matrix[:, 2])[..., axis]
    found = cut_out(pixels, matrix, 64).astype(float)
    assert np.abs(found[..., 0] - expected).max() < 1.6
    assert abs((found[..., 0] - found[..., 1]) / 2 + 120 - expected).max() < 1.1
    assert abs(((found[..., 0] - found[..., 1]) / 2 + 120 - expected).mean()) < 0.05


def test_shrinking_does_not_alias() -> None:
    """Stripes finer than the crop's pixels become grey, not a pattern of their own."""
    stripes = np.zeros((512, 512, 3), np.uint8)
    stripes[:, ::2] = 255
    crop = cut_out(stripes, similarity(450, 0.1, 50, 10), 64)[8:-8, 8:-8]
    assert np.abs(crop.astype(float) - 127.5).max() < 20
    picked = stripes[::7, ::7]  # what sampling without care would show
    assert picked.std() > 100


def test_an_integer_factor_is_the_mean_of_blocks() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    crop = cut_out(pixels, similarity(64, 0, 0, 0), 16)
    blocks = pixels.reshape(16, 4, 16, 4, 3).mean(axis=(1, 3))
    assert np.abs(crop - blocks).max() <= 0.51


def test_the_same_size_is_the_same_picture() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    np.testing.assert_array_equal(cut_out(pixels, similarity(32, 0, 0, 0), 32), pixels)


def test_black_beyond_the_rim() -> None:
    white = np.full((40, 40, 3), 255, np.uint8)
    crop = cut_out(white, similarity(40, 0, 20, 0), 40)
    assert (crop[:, :19] == 255).all()
    assert (crop[:, 21:] == 0).all()


def test_outside_share() -> None:
    assert outside_share(similarity(40, 0, 20, 0), WHOLE, 40, 40) == pytest.approx(0.5)
    assert outside_share(similarity(40, 0, 0, 0), WHOLE, 40, 40) == 0
    half = (0.0, 0.0, 0.5, 1.0)
    assert outside_share(similarity(40, 0, 20, 0), half, 40, 40) == 0


def test_points_come_to_their_places() -> None:
    placed = similarity(120, 0.7, 200, 90)
    points = FACE_CROP.five_points @ placed[:, :2].T + placed[:, 2]
    np.testing.assert_allclose(crop_to_photo(points, FACE_CROP.five_points), placed)
