import warnings
from itertools import product
from pathlib import Path

import pytest

from contrawarp_edge.core.errors import InputError
from helpers import save_image
from lightly_contrawarp.data.labelled import LabelledImages
from lightly_contrawarp.data.sets import Folds, available_splits, open_set

pytestmark = pytest.mark.filterwarnings("ignore:.*the full set has")
JAFFE = {
    **{"NE": "neutral", "HA": "happy", "SA": "sad", "SU": "surprise", "FE": "fear"},
    **{"DI": "disgust", "AN": "anger"},
}
KDEF = {"AF": "fear", **{code: name for code, name in JAFFE.items() if code != "FE"}}
ANGLES = ("S", "HL", "HR", "FL", "FR")


def _all(spec: str, **options: object) -> list[LabelledImages]:
    return [open_set(spec, split, **options) for split in available_splits(spec)]


def _jaffe(root: Path, people: int = 6) -> None:
    for person, code in product("KMNTUY"[:people], JAFFE):
        serial = 10 * "KMNTUY".index(person) + list(JAFFE).index(code)
        save_image(root / "jaffe" / f"{person}A.{code}1.{serial}.tiff")


def _kdef(root: Path, people: int = 3, angles: tuple[str, ...] = ANGLES) -> None:
    combinations = product("AB", "FM", range(1, people + 1), KDEF, angles)
    for session, sex, number, code, angle in combinations:
        person = f"{session}{sex}{number:02}"
        save_image(root / person / f"{person}{code}{angle}.JPG")


def test_jaffe(tmp_path: Path) -> None:
    _jaffe(tmp_path)
    (tmp_path / "README.txt").write_text("")
    save_image(tmp_path / "jaffe" / "overview.png")
    splits = _all(f"jaffe={tmp_path}")
    for images in splits:
        assert images.name == "jaffe"
        for name, identity, label in zip(
            images.names, images.identities or [], images.labels, strict=True
        ):
            person, code, *_ = Path(name).name.split(".")
            assert (identity, images.classes[label]) == (person, JAFFE[code[:2]])
    people = [set(images.identities or []) for images in splits]
    assert sum(map(len, people)) == len(set.union(*people)) == 6
    assert sum(map(len, splits)) == 6 * 7


def test_kdef__only_straight(tmp_path: Path) -> None:
    _kdef(tmp_path)
    splits = _all(f"kdef={tmp_path}")
    names = [Path(name).stem for images in splits for name in images.names]
    assert {name[6:] for name in names} == {"S"}
    assert len(set(names)) == len(names) == 2 * 2 * 3 * 7
    for images in splits:
        for name, identity, label in zip(
            images.names, images.identities or [], images.labels, strict=True
        ):
            stem = Path(name).stem
            assert (identity, images.classes[label]) == (stem[1:4], KDEF[stem[4:6]])
    people = [set(images.identities or []) for images in splits]
    assert sum(map(len, people)) == len(set.union(*people)) == 6


def test_kdef__other_angles(tmp_path: Path) -> None:
    _kdef(tmp_path)
    for images in _all(f"kdef={tmp_path}", angles=("HL", "HR")):
        assert {Path(name).stem[6:] for name in images.names} == {"HL", "HR"}
    with pytest.raises(InputError, match="KDEF angle X: expected S, HL, HR, FL, FR"):
        open_set(f"kdef={tmp_path}", "test", angles=("S", "X"))


def test_complete_copies_do_not_warn(tmp_path: Path) -> None:
    _kdef(tmp_path / "kdef", people=35, angles=("S",))
    for number in range(213):
        person, code = f"{'ABCDEFGHIJ'[number % 10]}Z", list(JAFFE)[number % 7]
        save_image(tmp_path / "jaffe" / f"{person}.{code}1.{number}.tiff")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert sum(map(len, _all(f"kdef={tmp_path / 'kdef'}"))) == 980
        assert sum(map(len, _all(f"jaffe={tmp_path / 'jaffe'}"))) == 213


@pytest.mark.parametrize(("name", "official"), [("jaffe", "213"), ("kdef", "980")])
def test_incomplete(tmp_path: Path, name: str, official: str) -> None:
    _jaffe(tmp_path)
    _kdef(tmp_path)
    with pytest.warns(UserWarning, match=f"{name}: .* the full set has {official}"):
        open_set(f"{name}={tmp_path}", "test")


@pytest.mark.parametrize(("name", "shown"), [("jaffe", "JAFFE"), ("kdef", "KDEF")])
def test_wrong_folder(tmp_path: Path, name: str, shown: str) -> None:
    with pytest.raises(InputError, match=f"no {shown} here; .* found no image"):
        open_set(f"{name}={tmp_path}", "test")
    save_image(tmp_path / "happy" / "1.jpg")
    with pytest.raises(InputError, match=rf"no {shown} here; .* found 1\.jpg and"):
        open_set(f"{name}={tmp_path}", "test")


def test_too_few_people(tmp_path: Path) -> None:
    _jaffe(tmp_path, people=4)
    with pytest.raises(InputError, match="4 people or photos cannot be dealt into 5"):
        open_set(f"jaffe={tmp_path}", "test")
    assert len(open_set(f"jaffe={tmp_path}", "test", folds=Folds(count=4))) == 7
