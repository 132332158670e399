import pickle
import statistics
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from contrawarp_edge.core.errors import InputError
from helpers import write
from lightly_contrawarp.data.sets import FecFaces, read_fec_triplets
from lightly_contrawarp.data.sets.fec import majority, read_fec_face

LEFT, RIGHT = "0.1,0.3,0.2,0.6", "0.5,0.9,0.25,0.75"  # left, right, top, bottom


def _row(names: str, answers: str, kind: str = "ONE_CLASS_TRIPLET") -> str:
    """Faces a, b, c are the left ones of photos, A, B, C the right ones."""
    faces = [
        f"http://example.org/1/{name.lower()}%20.png?x=1,"
        + (LEFT if name.islower() else RIGHT)
        for name in names
    ]
    pairs = [f"annotator{i},{answer}" for i, answer in enumerate(answers)]
    return ",".join([*faces, kind, *pairs])


@pytest.fixture
def images(tmp_path: Path) -> Path:
    folder = tmp_path / "images"
    folder.mkdir()
    for shade, name in enumerate("abc"):
        pixels = np.full((20, 40, 3), shade, np.uint8)
        pixels[4:12, 4:12] = (100, shade, 0)
        pixels[5:15, 20:36] = (0, shade, 100)
        Image.fromarray(pixels).save(folder / f"{name} .png")
    return folder


def test_triplets(tmp_path: Path, images: Path) -> None:
    rows = [_row("abc", "112312"), _row("abA", "333333", "TWO_CLASS_TRIPLET")]
    rows += [_row("Bac", "1122"), _row("xab", "222")]
    path = write(tmp_path / "faceexp-comparison-data-test-public.csv", *rows)
    with pytest.warns(UserWarning, match=r"1 of 4 rows need a photo .* line 4"):
        found = read_fec_triplets(path, images)
    assert found.missing == 1
    names = [f"{face.path.stem.strip()}{face.box[0]}" for face in found.faces]
    assert names == ["a0.1", "b0.1", "c0.1", "a0.5", "b0.5"]
    np.testing.assert_array_equal(found.triplets, [[0, 1, 2], [0, 1, 3], [4, 0, 2]])
    assert found.odd.tolist() == [0, 2, -1]
    assert found.triplets.dtype == found.odd.dtype == np.int64
    assert found.kinds == [
        "ONE_CLASS_TRIPLET",
        "TWO_CLASS_TRIPLET",
        "ONE_CLASS_TRIPLET",
    ]
    assert found.annotations == [(0, 0, 1, 2, 0, 1), (2,) * 6, (0, 0, 1, 1)]


def test_faces(tmp_path: Path, images: Path) -> None:
    path = write(tmp_path / "fec.csv", _row("aBc", "111"))
    faces = FecFaces(read_fec_triplets(path, images).faces)
    crops = [(image.size, image.getpixel((1, 5)), index) for image, index in faces]
    # The box of B is 16 x 10 pixels; the square around it is 16 x 16.
    assert crops == [
        *(
            ((8, 8), (100, 0, 0), 0),
            ((16, 16), (0, 1, 100), 1),
            ((8, 8), (100, 2, 0), 2),
        )
    ]
    np.testing.assert_array_equal(read_fec_face(faces.faces[1]), faces[1][0])
    faces.transform = str
    assert pickle.loads(pickle.dumps(faces))[-1][0].startswith("<PIL.Image")
    (images / "a .png").write_bytes(b"")
    with pytest.raises(InputError, match=r"a \.png: not an image"):
        faces[0]


def test_faces__empty_box(tmp_path: Path, images: Path) -> None:
    row = _row("abc", "111").replace(LEFT, "0.5,0.5,0,1", 1)
    faces = FecFaces(read_fec_triplets(write(tmp_path / "f.csv", row), images).faces)
    with pytest.raises(InputError, match=r"a \.png: the face box"):
        faces[0]
    assert faces[1][1] == 1


@pytest.mark.parametrize("count", [1, 3, 5])
def test_majority__is_the_mode(count: int) -> None:
    for answers in product(range(3), repeat=count):
        modes = statistics.multimode(answers)
        assert majority(answers) == (modes[0] if len(modes) == 1 else -1)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (_row("abc", "114"), "line 2: an answer is not 1, 2 or 3"),
        (_row("abc", "11x"), "line 2: 'x' is no number"),
        (_row("abc", ""), "line 2: 16 fields; expected three times address"),
        (_row("abc", "11") + ",annotator", "line 2: 21 fields"),
        (_row("ab", "111"), "line 2: 17 fields"),
        (_row("abc", "1").replace("0.1", "left"), "line 2: 'left' is no number"),
    ],
)
def test_bad_rows(tmp_path: Path, images: Path, row: str, message: str) -> None:
    path = write(tmp_path / "fec.csv", _row("abc", "111"), row)
    with pytest.raises(InputError, match=message):
        read_fec_triplets(path, images)


def test_wrong_paths(tmp_path: Path, images: Path) -> None:
    path = write(tmp_path / "fec.csv", _row("xyz", "111"))
    with pytest.raises(InputError, match="no row with all its photos in"):
        read_fec_triplets(path, images)
    with pytest.raises(InputError, match=r"nowhere\.csv: no such file"):
        read_fec_triplets(tmp_path / "nowhere.csv", images)
    with pytest.raises(InputError, match=r"fec\.csv: no such folder"):
        read_fec_triplets(path, path)
