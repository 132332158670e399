"""AffectNet's 68 points as landmarks to warp around."""

from pathlib import Path

import numpy as np
import pytest
import torch

from contrawarp_edge.core.errors import InputError
from helpers import save_image, write
from lightly_contrawarp.data.sets import affectnet_face_landmarks, open_set
from lightly_contrawarp.transforms.landmarks import from_68_points

POINTS = np.random.default_rng(0).uniform(5, 35, (68, 2)).round(1)
TEXT = ";".join(str(value) for value in POINTS.ravel())
WIDTH, HEIGHT = 40, 50


def expected(left: float, top: float, width: float, height: float) -> torch.Tensor:
    place = (POINTS + 0.5 - (left, top)) / (width, height)
    return from_68_points(torch.from_numpy(place)[None])[0].float()


def lists(root: Path, *rows: str) -> Path:
    for name in "abc":
        path = root / "Manually_Annotated_Images" / "1" / f"{name}.jpg"
        save_image(path, size=(WIDTH, HEIGHT))
    write(root / "Manually_Annotated_file_lists" / "training.csv", *rows)
    return root / "Manually_Annotated_Images" / "1"


def test_csv(tmp_path: Path) -> None:
    images = lists(
        tmp_path,
        f"1/a.jpg,4,6,30,20,{TEXT},1,0,0",
        "1/b.jpg,4,6,30,20,,1,0,0",  # without points
        f"1/c.jpg,NULL,NULL,NULL,NULL,{TEXT},10,0,0",  # without a face
        f"1/gone.jpg,4,6,30,20,{TEXT},1,0,0",
    )
    found = affectnet_face_landmarks(tmp_path, "train")
    assert list(found) == [images / "a.jpg"]
    whole = expected(0, 0, WIDTH, HEIGHT)
    torch.testing.assert_close(found[images / "a.jpg"], whole)


@pytest.mark.filterwarnings("ignore:.*the full set has")
def test_csv__of_the_crop_that_open_set_makes(tmp_path: Path) -> None:
    images = lists(
        tmp_path,
        f"1/a.jpg,4,6,30,20,{TEXT},1,0,0",
        f"1/b.jpg,400,6,30,20,{TEXT},2,0,0",  # a box outside the image
    )
    found = affectnet_face_landmarks(tmp_path, "train", crop_faces=True)
    # The square around the box: 30 pixels from (4, 1).
    crop = open_set(f"affectnet={tmp_path}", "train", crop_faces=True)[0][0]
    assert crop.size == (30, 30)
    assert list(found) == [images / "a.jpg"]
    torch.testing.assert_close(found[images / "a.jpg"], expected(4, 1, 30, 30))


@pytest.mark.parametrize(
    ("points", "message"),
    [
        ("1;2;3", "training.csv line 1: 3 numbers in facial_landmarks; expected 136"),
        (TEXT + "x", "training.csv line 1: .*x' is no number"),
    ],
)
def test_csv__bad_points(tmp_path: Path, points: str, message: str) -> None:
    lists(tmp_path, f"1/a.jpg,4,6,30,20,{points},1,0,0")
    with pytest.raises(InputError, match=message):
        affectnet_face_landmarks(tmp_path, "train")


def test_npy(tmp_path: Path) -> None:
    folder = tmp_path / "val_set"
    (folder / "annotations").mkdir(parents=True)
    for number in range(4):
        save_image(folder / "images" / f"{number}.jpg", size=(WIDTH, HEIGHT))
    np.save(folder / "annotations" / "0_lnd.npy", POINTS.ravel())
    np.save(folder / "annotations" / "1_lnd.npy", POINTS.ravel().astype(str))
    np.save(folder / "annotations" / "2_lnd.npy", POINTS[:5])
    with pytest.warns(UserWarning, match=r"2 of 4 images have no landmarks.*2\.jpg"):
        found = affectnet_face_landmarks(tmp_path, "validation")
    assert [path.name for path in found] == ["0.jpg", "1.jpg"]
    for points in found.values():
        whole = expected(0, 0, WIDTH, HEIGHT)
        torch.testing.assert_close(points, whole, atol=1e-5, rtol=0)


def test_copies_without_landmarks(tmp_path: Path) -> None:
    save_image(tmp_path / "train" / "1" / "a.jpg")
    with pytest.raises(InputError, match="landmarks of train need a copy with the csv"):
        affectnet_face_landmarks(tmp_path, "train")
    (tmp_path / "val_set" / "annotations").mkdir(parents=True)
    with pytest.raises(InputError, match=r"with the csv lists$"):
        affectnet_face_landmarks(tmp_path, "validation", crop_faces=True)
