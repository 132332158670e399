from pathlib import Path

import pytest

from contrawarp_edge.core.errors import InputError
from helpers import save_image, write
from lightly_contrawarp.data.sets import available_splits, open_set

pytestmark = pytest.mark.filterwarnings("ignore:.*the full set has")
NAMES = ("surprise", "fear", "disgust", "happy", "sad", "anger", "neutral")


def _official(root: Path, labels: list[str], name: str = "list_patition_label") -> Path:
    lines = []
    for number, label in enumerate(labels, start=1):
        split = "test" if number == len(labels) else "train"
        lines.append(f"{split}_{number:05} {label}".replace(" ", ".jpg "))
        image = root / "Image" / "aligned" / f"{split}_{number:05}_aligned.jpg"
        save_image(image, (number, 0, 0), (number, 1))
    return write(root / "EmoLabel" / f"{name}.txt", *lines, "")


@pytest.mark.parametrize("below", ["", "basic"])
@pytest.mark.parametrize("name", ["list_patition_label", "list_partition_label"])
def test_official_layout(tmp_path: Path, below: str, name: str) -> None:
    _official(tmp_path / below, list("12345675"), name)
    spec = f"rafdb={tmp_path}"
    assert available_splits(spec) == ("train", "test")
    train, test = open_set(spec, "train"), open_set(spec, "test")
    assert [train.classes[label] for label in train.labels] == [*NAMES]
    assert train.classes == [
        "neutral",
        "happy",
        "sad",
        "surprise",
        "fear",
        *NAMES[2::3],
    ]
    assert [image.width for image, _ in train] == [1, 2, 3, 4, 5, 6, 7]
    assert train.names[3].endswith("Image/aligned/train_00004_aligned.jpg")
    assert (test.classes, test.labels, test[0][0].width) == (["sad"], [0], 8)
    assert (train.name, train.root, train.identities) == ("rafdb", tmp_path, None)


@pytest.mark.parametrize("below", ["", "DATASET"])
def test_sorted_into_folders(tmp_path: Path, below: str) -> None:
    for number, _ in enumerate(NAMES, start=1):
        folder = tmp_path / below / "train" / str(number)
        save_image(folder / "train_1_aligned.jpg", size=(number, 1))
    for number in (2, 7):
        save_image(tmp_path / below / "test" / str(number) / "test_1_aligned.jpg")
    spec = f"RAF-DB={tmp_path}"
    assert available_splits(spec) == ("train", "test")
    train = open_set(spec, "train")
    assert [NAMES[image.width - 1] for image, _ in train] == train.classes
    assert open_set(spec, "test").classes == ["neutral", "fear"]


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["train_1.jpg 11"], r"line 1: label 11 is no basic .* compound"),
        (["train_1.jpg 5", "train_2.jpg 0"], "line 2: label 0 is no basic"),
        (["train_1.jpg"], r"line 1: expected a line such as train_00001\.jpg 5"),
        (["face_1.jpg 4"], "line 1: expected a line such as"),
        (["train_1.jpg happy"], "line 1: 'happy' is no number"),
        (["train_1.jpg 1.5"], r"line 1: '1\.5' is no label"),
        (["train_9.jpg 4"], r"not one of its 1 images is there.*train_9_aligned\.jpg"),
        (["test_9.jpg 4"], "no labelled face in its split train"),
    ],
)
def test_bad_list(tmp_path: Path, lines: list[str], message: str) -> None:
    (tmp_path / "Image" / "aligned").mkdir(parents=True)
    write(tmp_path / "EmoLabel" / "list_patition_label.txt", *lines)
    with pytest.raises(InputError, match=message):
        open_set(f"rafdb={tmp_path}", "train")


def test_compound_folders_are_refused(tmp_path: Path) -> None:
    for number in range(1, 12):
        save_image(tmp_path / "train" / str(number) / "1.jpg")
    with pytest.raises(InputError, match=r"train/10: is no class .*expected 1, 2"):
        open_set(f"rafdb={tmp_path}", "train")


def test_incomplete_copies_warn(tmp_path: Path) -> None:
    _official(tmp_path, list("1234"))
    with pytest.warns(UserWarning, match="rafdb train: 3 labels .* 12,271"):
        open_set(f"rafdb={tmp_path}", "train")
    (tmp_path / "Image" / "aligned" / "train_00002_aligned.jpg").unlink()
    with pytest.warns(UserWarning, match=r"1 of 3 listed .*train_00002_aligned\.jpg"):
        train = open_set(f"rafdb={tmp_path}", "train")
    assert len(train) == 2


def test_wrong_folder(tmp_path: Path) -> None:
    save_image(tmp_path / "happy" / "1.jpg")
    with pytest.raises(InputError, match="no RAF-DB in this folder; expected EmoLabel"):
        open_set(f"rafdb={tmp_path}", "train")
    write(tmp_path / "EmoLabel" / "list_patition_label.txt", "train_1.jpg 4")
    with pytest.raises(InputError, match="Image/aligned: no such folder"):
        open_set(f"rafdb={tmp_path}", "train")
    with pytest.raises(InputError, match="has no split validation; it has train, test"):
        open_set(f"rafdb={tmp_path}", "validation")
