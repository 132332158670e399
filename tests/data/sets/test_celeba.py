import warnings
from pathlib import Path

import numpy as np
import pytest

from contrawarp_edge.align.crop import FACE_CROP
from contrawarp_edge.core.errors import InputError
from helpers import write
from lightly_contrawarp.data.sets import celeba_face_landmarks, read_celeba_landmarks

pytestmark = pytest.mark.filterwarnings("ignore:.*the full set has")
COLUMNS = [f"{name}_{axis}" for name in ("lefteye", "righteye") for axis in "xy"]
COLUMNS += [f"{n}_{a}" for n in ("nose", "leftmouth", "rightmouth") for a in "xy"]
POINTS_1 = [69, 109, 106, 113, 77, 142, 73, 152, 108, 154]
POINTS_2 = [0, 0, 177, 217, 5, 6, 7, 8, 9, 10]
ROWS = [("000001.jpg", POINTS_1), ("000002.jpg", POINTS_2)]


def _text(root: Path) -> Path:
    rows = [f"{name}  {' '.join(f'{x:4}' for x in points)}" for name, points in ROWS]
    path = root / "list_landmarks_align_celeba.txt"
    return write(path, "2", " ".join(COLUMNS) + " ", *rows)


def _csv(root: Path) -> Path:
    rows = [f"{name},{','.join(map(str, points))}" for name, points in ROWS]
    path = root / "list_landmarks_align_celeba.csv"
    return write(path, ",".join(["image_id", *COLUMNS]), *rows)


@pytest.mark.parametrize("make", [_text, _csv])
@pytest.mark.parametrize("below", ["", "celeba", "Anno"])
def test_landmarks(tmp_path: Path, make: object, below: str) -> None:
    path = make(tmp_path / below)  # type: ignore[operator]
    for root in (tmp_path, path):
        names, points = read_celeba_landmarks(root)
        assert names == ["000001.jpg", "000002.jpg"]
        assert (points.shape, points.dtype) == ((2, 5, 2), np.float32)
        expected = [
            [(x + 0.5) / 178, (y + 0.5) / 218] for x, y in [(69, 109), (108, 154)]
        ]
        np.testing.assert_allclose(points[0, [0, 4]], expected, rtol=1e-6)
        # The centres of the first and the last pixel.
        np.testing.assert_allclose(points[1, 0], 1 - points[1, 1], rtol=1e-5)


def test_landmarks_to_warp_around(tmp_path: Path) -> None:
    found = celeba_face_landmarks(_text(tmp_path), tmp_path / "images")
    assert list(found) == [tmp_path / "images" / name for name, _ in ROWS]
    points = found[tmp_path / "images" / "000001.jpg"]
    assert points.shape == (8, 2)
    by_name = dict(zip(FACE_CROP.landmarks, points.tolist(), strict=True))
    assert by_name["left_eye"] == pytest.approx([69.5 / 178, 109.5 / 218])
    assert by_name["mouth"] == pytest.approx([91 / 178, 153.5 / 218])
    # The eyes of this face are 37 pixels apart, 0.38 of the contract's width.
    rise = by_name["left_eye"][1] - by_name["left_brow"][1]
    assert rise * 218 == pytest.approx(0.09 / 0.38 * 37, rel=0.15)


def test_incomplete(tmp_path: Path) -> None:
    with pytest.warns(UserWarning, match="celeba: 2 labels found, .* 202,599"):
        read_celeba_landmarks(_text(tmp_path))


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["2", " ".join(COLUMNS)], "holds no landmarks"),
        (["000001.jpg 1 2 3"], "line 1: expected a file name and 10 coordinates"),
        (["a.jpg " + "x " * 10], "line 1: 'x' is no number"),
    ],
)
def test_bad_file(tmp_path: Path, lines: list[str], message: str) -> None:
    path = write(tmp_path / "list_landmarks_align_celeba.txt", *lines)
    with pytest.raises(InputError, match=message):
        read_celeba_landmarks(path)


def test_wrong_folder(tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(InputError, match="expected list_landmarks_align_celeba"):
            read_celeba_landmarks(tmp_path)
    path = tmp_path / "list_landmarks_align_celeba.txt"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="is no text file"):
        read_celeba_landmarks(path)
