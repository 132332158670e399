from pathlib import Path

import pytest
from PIL import Image

from contrawarp_edge.errors import InputError
from lightly_contrawarp.data.labelled import LabelledFolder, class_name


def _save(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (6, 4), (10, 20, 30)).save(path)
    return path


def test_labelled_folder__canonical_order_and_aliases(tmp_path: Path) -> None:
    for name in ("Angry", "zest", "happiness", "neutral", "awe", "Surprised"):
        _save(tmp_path / name / "deeper" / "1.jpg")
    dataset = LabelledFolder(tmp_path)
    names = ["neutral", "happy", "surprise", "anger", "awe", "zest"]
    assert dataset.classes == names
    assert dataset.labels == [0, 1, 2, 3, 4, 5]
    assert [path.parts[-3] for path in dataset.paths] == [
        *("neutral", "happiness", "Surprised", "Angry", "awe", "zest")
    ]
    image, label = dataset[3]
    assert (image.size, label) == ((6, 4), 3)
    assert LabelledFolder(tmp_path, lambda image: image.mode)[5] == ("RGB", 5)


def test_labelled_folder__two_names_of_one_class(tmp_path: Path) -> None:
    for name in ("angry", "anger", "sad"):
        _save(tmp_path / name / "1.jpg")
    dataset = LabelledFolder(tmp_path)
    assert dataset.classes == ["sad", "anger"]
    assert sorted(dataset.labels) == [0, 1, 1]


@pytest.mark.parametrize(
    ("folder", "name"),
    [("sadness", "sad"), ("FEARFUL", "fear"), ("disgusted", "disgust"), ("7", "7")],
)
def test_class_name(folder: str, name: str) -> None:
    assert class_name(folder) == name


def test_labelled_folder__broken_image_raises(tmp_path: Path) -> None:
    _save(tmp_path / "sad" / "1.png")
    broken = _save(tmp_path / "happy" / "1.png")
    broken.write_bytes(broken.read_bytes()[:50])
    with pytest.raises(InputError, match=r"happy/1\.png"):
        LabelledFolder(tmp_path)[0]


@pytest.mark.parametrize(
    ("files", "message"),
    [
        (["1.jpg"], r"1\.jpg: this image is in no class folder; .*happy/1\.jpg"),
        (["sad/1.jpg", "happy/1.jpg", "2.jpg"], r"2\.jpg: this image is in no class"),
        (["happy/1.jpg"], "only one class, happy; expected one folder for each class"),
        (["train/sad/1.jpg", "test/sad/1.jpg"], "test, train is a part of a data set"),
        ([], "no image in this folder; expected one folder for each class"),
    ],
)
def test_labelled_folder__wrong_layout(
    tmp_path: Path, files: list[str], message: str
) -> None:
    for name in files:
        _save(tmp_path / name)
    with pytest.raises(InputError, match=message):
        LabelledFolder(tmp_path)
