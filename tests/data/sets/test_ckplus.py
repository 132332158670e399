from pathlib import Path

import pytest

from contrawarp_edge.core.errors import InputError
from helpers import save_image, write
from lightly_contrawarp.data.labelled import LabelledImages
from lightly_contrawarp.data.sets import Folds, available_splits, open_set

pytestmark = pytest.mark.filterwarnings("ignore:.*the full set has")
NAMES = (
    *("neutral", "anger", "contempt", "disgust", "fear", "happy", "sad", "surprise"),
)


def _sequence(
    root: Path, person: str, number: int, label: str | None, frames: int = 4
) -> None:
    for frame in range(1, frames + 1):
        name = f"{person}_{number:03}_{frame:08}.png"
        folder = root / "cohn-kanade-images" / person / f"{number:03}"
        save_image(folder / name, size=(frame, 1))
    if label is not None:
        name = f"{person}_{number:03}_{frames:08}_emotion.txt"
        write(root / "Emotion" / person / f"{number:03}" / name, f"   {label}")


def _write(root: Path) -> str:
    """Seven people; each shows all seven emotions and has an unlabelled sequence."""
    for person in range(7):
        for label in range(1, 8):
            _sequence(root, f"S{person:03}", label, f"{label}.0000000e+00")
        _sequence(root, f"S{person:03}", 9, None)
    return f"CK+={root}"


def _all(spec: str, **options: object) -> list[LabelledImages]:
    return [open_set(spec, split, **options) for split in available_splits(spec)]


def test_peak_and_neutral_frames(tmp_path: Path) -> None:
    spec = _write(tmp_path)
    found = []
    for images in _all(spec):
        assert images.identities is not None
        for name, identity, (image, label) in zip(
            images.names, images.identities, images, strict=True
        ):
            person, number, _ = Path(name).stem.split("_")
            assert identity == person
            assert int(number) != 9
            first = image.width == 1
            assert first or image.width == 4
            expected = "neutral" if first else NAMES[int(number)]
            assert images.classes[label] == expected
        found += images.names
    assert len(found) == len(set(found)) == 7 * 7 * 2


def test_parts_share_nobody(tmp_path: Path) -> None:
    spec = _write(tmp_path)
    tests = set()
    for fold in range(5):
        people = [
            set(images.identities or []) for images in _all(spec, folds=Folds(fold))
        ]
        assert sum(map(len, people)) == len(set.union(*people)) == 7
        tests |= people[2]
    assert len(tests) == 7


def test_peak_frames(tmp_path: Path) -> None:
    spec = _write(tmp_path)
    _sequence(tmp_path, "S000", 10, "5", frames=3)
    _sequence(tmp_path, "S000", 11, "5", frames=1)
    widths: dict[str, list[int]] = {}
    for images in _all(spec, peak_frames=3):
        for name, (image, label) in zip(images.names, images, strict=True):
            if images.classes[label] != "neutral":
                widths.setdefault(name.rpartition("_")[0], []).append(image.width)
    for sequence, found in widths.items():
        short = {"S000_010": [2, 3], "S000_011": [1]}
        assert found == short.get(Path(sequence).name, [2, 3, 4])
    with pytest.raises(InputError, match="peak_frames 0: must be 1 or more"):
        open_set(spec, "test", peak_frames=0)


def test_other_places(tmp_path: Path) -> None:
    _write(tmp_path)
    for old, new in (
        ("cohn-kanade-images", "extended-cohn-kanade-images/cohn-kanade-images"),
        ("Emotion", "Emotion_labels/Emotion"),
    ):
        (tmp_path / new).parent.mkdir()
        (tmp_path / old).rename(tmp_path / new)
    assert len(open_set(f"ckplus={tmp_path}", "train")) > 0


def test_incomplete(tmp_path: Path) -> None:
    spec = _write(tmp_path)
    empty = "Emotion/S000/001/S000_001_00000004_emotion.txt"
    (tmp_path / empty).write_text("")  # as good as none
    with pytest.warns(UserWarning, match="ckplus sequences: 48 labels .* 327"):
        open_set(spec, "test")
    (tmp_path / "cohn-kanade-images/S000/002").rename(tmp_path / "away")
    with pytest.warns(UserWarning, match="1 of 48 sequences have no frames.*S000/002"):
        assert sum(map(len, _all(spec))) == 2 * 47


@pytest.mark.parametrize(
    ("label", "message"),
    [("8", r"_emotion\.txt: label 8; expected 0 to 7"), ("x", "'x' is no number")],
)
def test_bad_label(tmp_path: Path, label: str, message: str) -> None:
    _sequence(tmp_path, "S001", 1, label)
    with pytest.raises(InputError, match=message):
        open_set(f"ckplus={tmp_path}", "test")


def test_wrong_folder(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no CK\+ here; expected cohn-kanade-images"):
        open_set(f"ckplus={tmp_path}", "test")
    _sequence(tmp_path, "S001", 1, None)
    (tmp_path / "Emotion").mkdir()
    with pytest.raises(InputError, match="Emotion: no labelled sequence whose frames"):
        open_set(f"ckplus={tmp_path}", "test")
