import pickle
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from obstacles import forbid_listing
from PIL import Image

from contrawarp_edge.core.errors import InputError
from helpers import save_image
from lightly_contrawarp.data.labelled import (
    LabelledFolder,
    LabelledImages,
    LabelledItem,
    class_name,
)


def _item(name: str, expression: str, identity: str | None = None) -> LabelledItem:
    read = partial(Image.new, "RGB", (2, 1), (len(name), 0, 0))
    return LabelledItem(name, expression, read, identity)


def test_labelled_images(tmp_path: Path) -> None:
    items = [_item("a", "zest", "Ann"), _item("bc", "sad", "Bo")]
    images = LabelledImages("mine", tmp_path, [*items, _item("d", "neutral", "Ann")])
    assert (images.name, images.root, len(images)) == ("mine", tmp_path, 3)
    assert images.classes == ["neutral", "sad", "zest"]
    assert images.labels == [2, 1, 0]
    assert images.names == ["a", "bc", "d"]
    assert images.identities == ["Ann", "Bo", "Ann"]
    assert [label for _, label in images] == images.labels
    copy = pickle.loads(pickle.dumps(images))
    assert copy[1][0].getpixel((0, 0)) == (2, 0, 0)
    images.transform = lambda image: image.size
    assert images[-1] == ((2, 1), 0)


@pytest.mark.parametrize("identities", [(None, None), ("Ann", None), ()])
def test_labelled_images__identities_unknown(
    identities: tuple[str | None, ...], tmp_path: Path
) -> None:
    items = [_item("a", "sad", identity) for identity in identities]
    assert LabelledImages("mine", tmp_path, items).identities is None


def test_labelled_images__targets_are_those_of_every_item(tmp_path: Path) -> None:
    items = [
        replace(_item("a", "sad"), targets={"smile": 0.5, "gaze": 1.0}),
        replace(_item("b", "happy"), targets={"age": 30.0, "smile": -0.25}),
    ]
    targets = LabelledImages("mine", tmp_path, items).targets
    assert {name: values.tolist() for name, values in targets.items()} == {
        "smile": [0.5, -0.25]
    }
    assert LabelledImages("mine", tmp_path, [*items, _item("c", "sad")]).targets == {}
    assert LabelledImages("mine", tmp_path, []).targets == {}


def test_labelled_folder__canonical_order_and_aliases(tmp_path: Path) -> None:
    for name in ("Angry", "zest", "happiness", "neutral", "awe", "Surprised"):
        save_image(tmp_path / name / "deeper" / "1.jpg")
    dataset = LabelledFolder(tmp_path)
    names = ["neutral", "happy", "surprise", "anger", "awe", "zest"]
    assert dataset.classes == names
    assert dataset.labels == [0, 1, 2, 3, 4, 5]
    assert [Path(name).parts[-3] for name in dataset.names] == [
        *("neutral", "happiness", "Surprised", "Angry", "awe", "zest")
    ]
    image, label = dataset[3]
    assert (image.size, label) == ((6, 4), 3)
    assert LabelledFolder(tmp_path, lambda image: image.mode)[5] == ("RGB", 5)


def test_labelled_folder__two_names_of_one_class(tmp_path: Path) -> None:
    for name in ("angry", "anger", "sad"):
        save_image(tmp_path / name / "1.jpg")
    dataset = LabelledFolder(tmp_path)
    assert dataset.classes == ["sad", "anger"]
    assert sorted(dataset.labels) == [0, 1, 1]


@pytest.mark.parametrize(
    ("folder", "name"),
    [("sadness", "sad"), ("FEARFUL", "fear"), ("disgusted", "disgust"), ("7", "7")],
)
def test_class_name(folder: str, name: str) -> None:
    assert class_name(folder) == name


def test_labelled_folder__class_that_cannot_be_listed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("happy", "sad/deep", "fear"):
        save_image(tmp_path / name / "1.jpg")
    with monkeypatch.context() as patch:
        forbid_listing(tmp_path / "sad", patch)
        with pytest.raises(InputError, match=f"^{tmp_path}/sad: Permission denied"):
            LabelledFolder(tmp_path)
    # Further below, the other images of the class are there to learn from.
    save_image(tmp_path / "sad" / "2.jpg")
    forbid_listing(tmp_path / "sad" / "deep", monkeypatch)
    dataset = LabelledFolder(tmp_path)
    with pytest.raises(InputError, match="sad/deep: Permission denied"):
        dataset[dataset.names.index(str(tmp_path / "sad" / "deep"))]


def test_labelled_folder__broken_image_raises(tmp_path: Path) -> None:
    save_image(tmp_path / "sad" / "1.png")
    broken = save_image(tmp_path / "happy" / "1.png")
    broken.write_bytes(broken.read_bytes()[:50])
    with pytest.raises(InputError, match=r"happy/1\.png"):
        LabelledFolder(tmp_path)[0]


@pytest.mark.parametrize(
    ("files", "message"),
    [
        (["1.jpg"], r"1\.jpg: this image is in no class folder; .*happy/1\.jpg"),
        (["sad/1.jpg", "happy/1.jpg", "2.jpg"], r"2\.jpg: this image is in no class"),
        (["happy/1.jpg"], "only one class, happy; expected one folder for each class"),
        (["train/sad/1.jpg", "test/sad/1.jpg"], "test, train is a split of a data set"),
        ([], "no image in this folder; expected one folder for each class"),
    ],
)
def test_labelled_folder__wrong_layout(
    tmp_path: Path, files: list[str], message: str
) -> None:
    for name in files:
        save_image(tmp_path / name)
    with pytest.raises(InputError, match=message):
        LabelledFolder(tmp_path)


@pytest.mark.parametrize(
    "pattern", [r"p(\d+)_", r"(x)?/p(?P<identity>\d+)", r"^[a-z]+/p(\d+)"]
)
def test_labelled_folder__identity_pattern(pattern: str, tmp_path: Path) -> None:
    root = tmp_path / "p99_"  # the pattern sees only what is below the folder
    for name in ("sad/p1_1.jpg", "sad/p2_1.jpg", "happy/p1_2.jpg"):
        save_image(root / name)
    dataset = LabelledFolder(root, identity_pattern=pattern)
    assert dataset.identities == ["1", "1", "2"]
    assert [Path(name).name for name in dataset.names] == [
        *("p1_2.jpg", "p1_1.jpg", "p2_1.jpg")
    ]


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        (r"p(\d", "identity pattern .*unterminated subpattern"),
        (r"p\d", "has 0 groups; put one pair of brackets"),
        (r"(p)(\d)", r"has 2 groups; .*\?P<identity>"),
        (r"q(\d)", r"happy/p1\.jpg: identity pattern .* finds nobody"),
        (r"p1(x)?", r"happy/p1\.jpg: identity pattern .* finds nobody"),
    ],
)
def test_labelled_folder__bad_identity_pattern(
    pattern: str, message: str, tmp_path: Path
) -> None:
    for name in ("happy", "sad"):
        save_image(tmp_path / name / "p1.jpg")
    with pytest.raises(InputError, match=message):
        LabelledFolder(tmp_path, identity_pattern=pattern)
