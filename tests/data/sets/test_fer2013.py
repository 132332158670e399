import pickle
from pathlib import Path

import numpy as np
import pytest

from contrawarp_edge.core.errors import InputError
from helpers import save_image, write
from lightly_contrawarp.data.labelled import LabelledImages
from lightly_contrawarp.data.sets import available_splits, open_set

pytestmark = pytest.mark.filterwarnings("ignore:.*the full set has")
NAMES = ("anger", "disgust", "fear", "happy", "sad", "surprise", "neutral")
PIXELS = np.random.default_rng(0).integers(0, 256, (9, 48, 48), dtype=np.uint8)
HEADER = "emotion,pixels,Usage"


def _text(number: int) -> str:
    return " ".join(map(str, PIXELS[number].ravel()))


def _rows() -> list[str]:
    """Seven of train, and one of each test, the first of which is in train too."""
    rows = [f"{label},{_text(label)},Training" for label in range(7)]
    return [*rows, f"3,{_text(2)},PublicTest", f"4,{_text(8)},PrivateTest"]


def _expressions(images: LabelledImages) -> list[str]:
    return [images.classes[label] for label in images.labels]


@pytest.mark.parametrize("place", ["fer2013.csv", "fer2013/fer2013.csv"])
def test_csv(tmp_path: Path, place: str) -> None:
    write(tmp_path / place, HEADER, *_rows())
    spec = f"fer2013={tmp_path}"
    assert available_splits(spec) == ("train", "validation", "test")
    train = open_set(spec, "train")
    assert _expressions(train) == [*NAMES]
    assert train.classes[:3] == ["neutral", "happy", "sad"]
    for number, (image, _) in enumerate(pickle.loads(pickle.dumps(train))):
        expected = np.repeat(PIXELS[number][:, :, None], 3, axis=2)
        np.testing.assert_array_equal(image, expected)
    validation, test = open_set(spec, "validation"), open_set(spec, "test")
    assert (_expressions(validation), _expressions(test)) == (["happy"], ["sad"])
    assert test.names == [f"{tmp_path / place} row 8"]
    assert (test.name, test.identities) == ("fer2013", None)


def test_csv__other_column_order(tmp_path: Path) -> None:
    rows = [row.split(",") for row in _rows()]
    lines = [f"{emotion},{usage},{pixels}" for emotion, pixels, usage in rows]
    write(tmp_path / "icml_face_data.csv", "emotion, Usage, pixels", *lines)
    train = open_set(f"fer2013={tmp_path / 'icml_face_data.csv'}", "train")
    assert _expressions(train) == [*NAMES]
    np.testing.assert_array_equal(np.asarray(train[5][0])[..., 1], PIXELS[5])


def test_csv__drop_duplicates(tmp_path: Path) -> None:
    # A row that differs in one pixel is no duplicate.
    almost = PIXELS[2].copy()
    almost[0, 0] ^= 1
    row = f"3,{' '.join(map(str, almost.ravel()))},PublicTest"
    write(tmp_path / "fer2013.csv", HEADER, row, *_rows())
    spec = f"fer2013={tmp_path}"
    names = open_set(spec, "validation", drop_duplicates=True).names
    assert names == [f"{tmp_path / 'fer2013.csv'} row 0"]
    assert len(open_set(spec, "validation")) == 2
    assert len(open_set(spec, "train", drop_duplicates=True)) == 7


@pytest.mark.parametrize(
    "pixels",
    [
        "",
        "1 2 3",
        _text(0) + " 7",
        "256 " + _text(0).split(maxsplit=1)[1],
        "x" + _text(0),
    ],
)
def test_csv__broken_pixels(tmp_path: Path, pixels: str) -> None:
    write(tmp_path / "fer2013.csv", HEADER, f"0,{pixels},Training", *_rows())
    train = open_set(f"fer2013={tmp_path}", "train")
    assert len(train) == 8
    with pytest.raises(InputError, match=r"fer2013\.csv row 0: does not hold 48 x 48"):
        train[0]
    assert train[1][1] == train.classes.index("anger")


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ([], "no column Usage, emotion, pixels"),
        (["emotion,pixels", "0,1 2"], "no column Usage; expected a csv with emotion"),
        ([HEADER, "7,1 2,Training"], "line 2: label 7 of split 'Training'; expected 0"),
        ([HEADER, "0,1 2,Private"], "line 2: label 0 of split 'Private'"),
        ([HEADER, *_rows(), "0,1 2"], "line 11: 2 columns; expected emotion, pixels"),
        ([HEADER, "happy,1 2,Training"], "line 2: 'happy' is no number"),
    ],
)
def test_csv__bad(tmp_path: Path, lines: list[str], message: str) -> None:
    write(tmp_path / "fer2013.csv", *lines)
    with pytest.raises(InputError, match=message):
        open_set(f"fer2013={tmp_path}", "train")


def test_csv__incomplete(tmp_path: Path) -> None:
    write(tmp_path / "fer2013.csv", HEADER, *_rows())
    with pytest.warns(UserWarning, match=r"fer2013\.csv test: 1 labels .* 3,589$"):
        open_set(f"fer2013={tmp_path}", "test")


def test_folders__by_name(tmp_path: Path) -> None:
    names = ("angry", "disgust", "fear", "happy", "neutral", "sad", "surprise")
    for split in ("train", "test"):
        for name in names:
            save_image(tmp_path / split / name / f"{name}.jpg")
    spec = f"fer2013={tmp_path}"
    assert available_splits(spec) == ("train", "test")
    with pytest.warns(UserWarning, match="fer2013 test: 7 labels .* 3,589 or 7,178"):
        test = open_set(spec, "test")
    assert _expressions(test) == [
        *("neutral", "happy", "sad", "surprise", "fear", "disgust", "anger")
    ]
    assert [Path(name).stem.replace("angry", "anger") for name in test.names] == (
        _expressions(test)
    )
    with pytest.raises(InputError, match=r"found with fer2013\.csv only"):
        open_set(spec, "test", drop_duplicates=True)


def test_folders__numbers_are_refused(tmp_path: Path) -> None:
    for name in "01":
        save_image(tmp_path / "train" / name / "1.jpg")
    with pytest.raises(InputError, match=r"train/0: is no class .* expected neutral"):
        open_set(f"fer2013={tmp_path}", "train")


def test_wrong_folder(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no FER2013 here; expected fer2013\.csv"):
        open_set(f"fer2013={tmp_path}", "train")
