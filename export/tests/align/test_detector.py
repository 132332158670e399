from __future__ import annotations

import sys

import numpy as np
import pytest
from PIL import Image

from contrawarp_edge.align import detector
from contrawarp_edge.align.detector import _detect, find_faces, find_large_faces
from contrawarp_edge.core.errors import InputError

# Read off the picture by hand: eyes, tip of the nose, corners of the mouth.
POINTS = np.array([[202, 102], [247, 104], [222, 125], [201, 143], [241, 145.0]])
EYES = 45.0


def errors(points: np.ndarray, expected: np.ndarray = POINTS) -> float:
    """Largest distance in distances of the eyes."""
    return float(np.linalg.norm(points - expected, axis=1).max() / EYES)


def test_finds_the_face_and_its_points(astronaut: Image.Image) -> None:
    (face,) = find_faces(np.asarray(astronaut))
    assert face.score > 0.9
    assert errors(face.points) < 0.15
    left, top, right, bottom = face.box
    assert 150 < left < 200 < 247 < right < 290
    assert 40 < top < 100 < 145 < bottom < 200


@pytest.mark.parametrize("turns", [1, 2, 3])
def test_turned_by_quarters(astronaut: Image.Image, turns: int) -> None:
    pixels = np.asarray(astronaut)
    (upright,) = find_faces(pixels)
    (turned,) = find_faces(np.ascontiguousarray(np.rot90(pixels, turns)))
    x, y = turned.points.T
    for _ in range(turns):
        x, y = 512 - y, x
    assert errors(np.column_stack([x, y]), upright.points) < 0.02


@pytest.mark.parametrize("angle", [-25, 25])
def test_tilt_is_found(astronaut: Image.Image, angle: float) -> None:
    """The network alone reads such a face as less tilted than it is."""
    centre = (224, 120)
    pixels = np.asarray(
        astronaut.rotate(angle, Image.Resampling.BICUBIC, center=centre)
    )
    (face,) = find_faces(pixels)
    a = np.exp(-1j * np.radians(angle))
    turned = ((POINTS - centre) @ [1, 1j]) * a
    expected = np.column_stack([turned.real, turned.imag]) + centre
    assert errors(face.points, expected) < 0.2


@pytest.mark.parametrize("side", [100, 256, 1500, 4000])
def test_any_size(astronaut: Image.Image, side: int) -> None:
    scaled = astronaut.resize((side, side), Image.Resampling.LANCZOS)
    (face,) = find_faces(np.asarray(scaled))
    assert errors(face.points * 512 / side) < 0.2


def test_small_faces_beside_large_ones(astronaut: Image.Image) -> None:
    photo = Image.new("RGB", (1200, 600), "grey")
    head = astronaut.crop((140, 30, 310, 200))
    photo.paste(head.resize((510, 510)), (20, 20))
    photo.paste(head.resize((60, 60)), (1000, 300))
    pixels = np.asarray(photo)
    assert len(find_faces(pixels)) == 1
    large, small = find_faces(pixels, thorough=True)
    assert large.box[2] < 600
    assert small.box[0] > 990


@pytest.mark.parametrize("name", ["coffee", "coins", "page", "rocket"])
def test_no_face(astronaut: Image.Image, name: str) -> None:
    data = pytest.importorskip("skimage.data")
    pixels = np.asarray(Image.fromarray(getattr(data, name)()).convert("RGB"))
    assert find_faces(pixels) == []


def test_odd_shapes() -> None:
    pytest.importorskip("cv2")
    for height, width in ((1, 1), (1, 3000), (2000, 2), (12, 3000), (300, 10)):
        assert find_faces(np.zeros((height, width, 3), np.uint8)) == []


def test_finds_nothing_in_memory_that_nobody_wrote() -> None:
    """OpenCV did in pictures whose shorter side was at most 32 pixels."""
    pytest.importorskip("cv2")
    rng = np.random.default_rng(0)
    shapes = [(20, 150), (20, 250), (32, 32), (30, 640), (160, 32), (320, 15)]
    photos = [rng.integers(0, 256, (*shape, 3), np.uint8) for shape in shapes]
    first: dict[int, object] = {}
    for _ in range(8):
        for place in rng.permutation(len(photos)):
            freed = [
                np.full(rng.integers(1000, 400_000), value, np.float32)
                for value in (np.nan, 1e6, -1e6) * 3
            ]
            del freed
            photo = photos[place]
            faces = _detect(photo, max(photo.shape), min_score=1e-3)
            found = [(face.box, face.score) for face in faces]
            assert first.setdefault(place, found) == found
    assert all(first.values())


def test_one_look_is_enough_for_large_faces(astronaut: Image.Image) -> None:
    (face,) = find_large_faces(np.asarray(astronaut.crop((140, 30, 310, 200))))
    assert errors(face.points + np.array([140, 30])) < 0.25


def test_without_a_detector(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cv2", None)
    assert not detector.can_detect()
    with pytest.raises(InputError, match=r"pip install 'contrawarp-edge\[align\]'"):
        detector.require_detector()
