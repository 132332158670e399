from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from contrawarp_edge.core.errors import InputError
from helpers import save_image, write
from lightly_contrawarp.data.sets import Folds, available_splits, open_set

pytestmark = pytest.mark.filterwarnings("ignore:.*the full set has")
NAMES = ("anger", "disgust", "fear", "happy", "sad", "surprise", "neutral")
PHOTOS = 15


def _write(root: Path) -> None:
    """Photo k has two faces: with label k % 7 at the left, neutral at the right."""
    lines = []
    for number in range(PHOTOS):
        photo = np.zeros((20, 40, 3), np.uint8)
        photo[2:12, 4:14] = (200, number, 0)
        photo[5:15, 22:32] = (0, number, 200)
        path = save_image(root / "image" / "origin" / f"{number}.png")
        Image.fromarray(photo).save(path)
        lines += [
            f"{number}.png 0 2 4 14 12 61.5 {number % 7}",
            f"{number}.png 1 5 22 32 15 33.1 6",
        ]
    write(root / "label" / "label.lst", *lines)


@pytest.mark.parametrize("below", ["", "data"])
def test_faces(tmp_path: Path, below: str) -> None:
    _write(tmp_path / below)
    spec = f"expw={tmp_path}"
    names = []
    for split in available_splits(spec):
        images = open_set(spec, split)
        photos = {name.split(" face ")[0] for name in images.names}
        assert len(images) == 2 * len(photos)  # both faces of a photo are in one split
        for name, (image, label) in zip(images.names, images, strict=True):
            number = int(Path(name.split(" face ")[0]).stem)
            left = name.endswith("face 0")
            colour = (200, number, 0) if left else (0, number, 200)
            assert image.size == (10, 10)
            assert image.getcolors() == [(100, colour)]
            assert images.classes[label] == (NAMES[number % 7] if left else "neutral")
        names += images.names
    assert len(names) == len(set(names)) == 2 * PHOTOS
    assert available_splits(spec) == ("train", "validation", "test")


def test_missing_photos_do_not_change_the_folds(tmp_path: Path) -> None:
    _write(tmp_path)
    spec = f"expw={tmp_path}"
    before = open_set(spec, "test").names
    (tmp_path / "image" / "origin" / f"{Path(before[0].split(' ')[0]).name}").unlink()
    with pytest.warns(UserWarning, match=r"label\.lst: 2 of \d+ listed images"):
        assert open_set(spec, "test").names == before[2:]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("0.png 0 2 4 14 12 61.5 7", "line 1: label 7; expected 0 to 6"),
        ("0.png 0 2 4 14 12 61.5", "line 1: 7 fields; expected image, face, top"),
        ("0.png 0 a 4 14 12 61.5 1", "line 1: 'a' is no number"),
        ("0.png 0 2 4 14 12 61.5 1", "1 people or photos cannot be dealt into 5 folds"),
    ],
)
def test_bad_list(tmp_path: Path, line: str, message: str) -> None:
    _write(tmp_path)
    write(tmp_path / "label" / "label.lst", line)
    with pytest.raises(InputError, match=message):
        open_set(f"expw={tmp_path}", "train")


def test_wrong_folder_and_options(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no ExpW here; expected label/label\.lst"):
        open_set(f"expw={tmp_path}", "train")
    _write(tmp_path)
    with pytest.warns(UserWarning, match="expw: 30 labels found, .* 91,793"):
        open_set(f"expw={tmp_path}", "train", folds=Folds(count=3))
