import pickle
from pathlib import Path

import pytest

from contrawarp_edge.core.errors import InputError
from helpers import save_image
from lightly_contrawarp.data.sets import SET_NAMES, Folds, available_splits, open_set


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Parts with the classes angry and happy, of one to three images."""
    for count, split in enumerate(("train", "val", "test"), start=1):
        for name in ("angry", "happy"):
            for number in range(count):
                save_image(tmp_path / split / name / f"p{number}_{split}.jpg")
    return tmp_path


@pytest.mark.parametrize("spec", ["{}", "folder={}", "Folder={}"])
def test_plain_folder(folder: Path, spec: str) -> None:
    spec = spec.format(folder)
    assert available_splits(spec) == ("train", "validation", "test")
    images = open_set(spec, "validation", transform=lambda image: image.size)
    assert (images.name, images.root) == ("folder", folder / "val")
    assert images.classes == ["happy", "anger"]
    assert list(images) == [((6, 4), 0)] * 2 + [((6, 4), 1)] * 2
    images = open_set(spec, "test", identity_pattern=r"/p(\d)_")
    assert images.identities == list("012012")
    assert pickle.loads(pickle.dumps(images)).names == images.names


@pytest.mark.parametrize("name", ["validation", "Val", "valid", "VALIDATION"])
def test_plain_folder__names_of_parts(folder: Path, name: str) -> None:
    (folder / "val").rename(folder / name)
    assert len(open_set(str(folder), "validation")) == 4


def test_plain_folder__ambiguous(folder: Path) -> None:
    save_image(folder / "validation" / "sad" / "1.jpg")
    with pytest.raises(InputError, match="val and validation could both be validation"):
        open_set(str(folder), "train")


def test_plain_folder__lacks_a_part(folder: Path) -> None:
    (folder / "test").rename(folder / "elsewhere")
    with pytest.raises(InputError, match="has no split test; it has train, validation"):
        open_set(str(folder), "test")


def test_folder_without_parts(tmp_path: Path) -> None:
    for person in range(6):
        for name in ("sad", "fear"):
            save_image(tmp_path / name / f"S{person:03}_001.png")
    spec = f"folder={tmp_path}"
    options = {"identity_pattern": r"/S(\d+)_", "folds": Folds(count=3)}
    splits = [open_set(spec, split, **options) for split in available_splits(spec)]
    people = [set(images.identities or []) for images in splits]
    assert [len(group) for group in people] == [2, 2, 2]
    assert len(set.union(*people)) == 6
    with pytest.raises(InputError, match=r"has no splits; expected train/.* pattern"):
        open_set(spec, "train")
    with pytest.raises(InputError, match=r"expected train/ and .* write NAME=.* rafdb"):
        open_set(str(tmp_path), "train")


def test_numbered_classes_need_a_name(tmp_path: Path) -> None:
    for name in "12":
        for split in ("train", "test"):
            save_image(tmp_path / split / name / "1.jpg")
    with pytest.raises(InputError, match="classes are numbers, which differ from set"):
        open_set(str(tmp_path), "train")
    assert open_set(f"folder={tmp_path}", "train").classes == ["1", "2"]
    with pytest.warns(UserWarning, match="the full set"):
        assert open_set(f"rafdb={tmp_path}", "train").classes == ["surprise", "fear"]


def test_path_with_an_equals_sign(folder: Path) -> None:
    odd = folder.rename(folder.parent / "a=b")
    assert len(open_set(str(odd), "train")) == 2
    assert len(open_set(f"folder={odd}", "train")) == 2


@pytest.mark.parametrize("name", SET_NAMES)
def test_missing_path(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match=r"^\S*nowhere: no such file or folder$"):
        open_set(f"{name}={tmp_path / 'nowhere'}", "train")


@pytest.mark.parametrize("name", SET_NAMES)
def test_file_of_another_kind(tmp_path: Path, name: str) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("nothing\n")
    with pytest.raises(InputError, match=r"notes\.txt: "):
        open_set(f"{name}={path}", "train")


@pytest.mark.parametrize("name", SET_NAMES)
def test_empty_folder(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match="expected") as caught:
        open_set(f"{name}={tmp_path}", "train")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("lfw={}", "lfw is no known set; expected rafdb, affectnet"),
        ("{}/nowhere", "nowhere: no such file or folder"),
        ("", "expected train/ and validation/"),
    ],
)
def test_unknown(tmp_path: Path, spec: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        open_set(spec.format(tmp_path), "train")


def test_options_of_other_sets(folder: Path) -> None:
    with pytest.raises(
        InputError, match="folder has no option angles; it has identity_pattern, folds"
    ):
        open_set(str(folder), "train", angles=("S",))
    with pytest.raises(InputError, match="rafdb has no option folds; it has none"):
        open_set(f"rafdb={folder}", "train", folds=Folds())
    with pytest.raises(InputError, match="has no split dev; it has train"):
        open_set(str(folder), "dev")
