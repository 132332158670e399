from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from contrawarp_edge.core.errors import InputError
from helpers import save_image, write
from lightly_contrawarp.data.labelled import EXPRESSIONS, LabelledImages
from lightly_contrawarp.data.sets import available_splits, open_set

pytestmark = pytest.mark.filterwarnings("ignore:.*the full set has")
HEADER = (
    "subDirectory_filePath,face_x,face_y,face_width,face_height,facial_landmarks,"
    "expression,valence,arousal"
)


def _expressions(images: LabelledImages) -> list[str]:
    return [images.classes[label] for label in images.labels]


def _csv(root: Path, *, header: bool = True, file: str = "validation.csv") -> None:
    """Eleven images; number k has label k and a face at (k, 2), 10 x 10 pixels."""
    rows = []
    for label in range(11):
        box = (label, 2, 10, 10) if label < 8 else ("NULL",) * 4
        fields = (f"{label}/a.jpg", *box, "1.5;2;3;4", label, -2, -2)
        rows.append(",".join(map(str, fields)))
        save_image(
            root / "Manually_Annotated_Images" / str(label) / "a.jpg", size=(40, 20)
        )
    lines = [HEADER, *rows] if header else rows
    write(root / "Manually_Annotated_file_lists" / file, *lines)


@pytest.mark.parametrize("below", ["", "Manually_Annotated"])
@pytest.mark.parametrize("header", [True, False])
def test_csv(tmp_path: Path, below: str, header: bool) -> None:
    _csv(tmp_path / below, header=header)
    spec = f"affectnet={tmp_path}"
    assert available_splits(spec) == ("validation",)
    images = open_set(spec, "validation")
    assert _expressions(images) == images.classes == [*EXPRESSIONS]
    assert images.names[3].endswith("Manually_Annotated_Images/3/a.jpg")
    assert images[3][0].size == (40, 20)


def test_csv__columns_by_name(tmp_path: Path) -> None:
    save_image(tmp_path / "Manually_Annotated_Images" / "a.jpg")
    lines = "expression,face_height,face_width,face_y,face_x,subDirectory_filePath"
    write(tmp_path / "training.csv", lines, "6.0,3,2,1,1,a.jpg")
    assert open_set(f"affectnet={tmp_path}", "train").classes == ["anger"]


def test_csv__crop_faces(tmp_path: Path) -> None:
    _csv(tmp_path)
    pixels = np.random.default_rng(0).integers(0, 256, (20, 40, 3), dtype=np.uint8)
    path = tmp_path / "Manually_Annotated_Images" / "3" / "a.jpg"
    Image.fromarray(pixels).save(path)
    images = open_set(f"affectnet={tmp_path}", "validation", crop_faces=True)
    whole = np.asarray(Image.open(path))
    np.testing.assert_array_equal(images[3][0], whole[2:12, 3:13])
    path.write_bytes(b"")
    with pytest.raises(InputError, match=r"3/a\.jpg: not an image"):
        images[3]


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["file,expression", "a.jpg,1"], "line 1: no column face_height, face_width, "),
        ([HEADER, "a.jpg,1"], "line 2: 2 columns; expected subDirectory_filePath"),
        ([HEADER, "a.jpg,0,0,9,9,,11,0,0"], "line 2: label 11; expected 0 to 10"),
        ([HEADER, "a.jpg,0,0,9,9,,joy,0,0"], "line 2: 'joy' is no number"),
        ([HEADER, "a.jpg,0,x,9,9,,1,0,0"], "line 2: 'x' is no number"),
        ([HEADER, "b.jpg,0,0,9,9,,1,0,0"], r"not one of its 1 images is there.*b\.jpg"),
        ([HEADER, "a.jpg,0,0,9,9,,9,0,0"], "no labelled face in its split train"),
    ],
)
def test_csv__bad(tmp_path: Path, lines: list[str], message: str) -> None:
    save_image(tmp_path / "Manually_Annotated_Images" / "a.jpg")
    write(tmp_path / "Manually_Annotated_file_lists" / "training.csv", *lines)
    with pytest.raises(InputError, match=message):
        open_set(f"affectnet={tmp_path}", "train")


def test_csv__no_text(tmp_path: Path) -> None:
    (tmp_path / "Manually_Annotated_Images").mkdir()
    (tmp_path / "training.csv").write_bytes(b"\xff\xfe\x00\x01")
    with pytest.raises(InputError, match=r"training\.csv: is no csv file"):
        open_set(f"affectnet={tmp_path}", "train")


def test_csv__images_missing(tmp_path: Path) -> None:
    _csv(tmp_path)
    (tmp_path / "Manually_Annotated_Images" / "4" / "a.jpg").unlink()
    with pytest.warns(UserWarning, match=r"1 of 8 listed images are .*4/a\.jpg"):
        assert len(open_set(f"affectnet={tmp_path}", "validation")) == 7
    (tmp_path / "Manually_Annotated_Images").rename(tmp_path / "elsewhere")
    with pytest.raises(InputError, match="Manually_Annotated_Images: no such folder"):
        open_set(f"affectnet={tmp_path}", "validation")


@pytest.mark.parametrize("kind", [str, np.float32, int, "float text"])
def test_npy(tmp_path: Path, kind: object) -> None:
    for label in range(9):
        save_image(
            tmp_path / "val_set" / "images" / f"{label}.jpg", size=(label + 1, 1)
        )
        value = f"{label}.0" if kind == "float text" else kind(label)  # type: ignore
        path = tmp_path / "val_set" / "annotations" / f"{label}_exp.npy"
        path.parent.mkdir(exist_ok=True)
        np.save(path, np.asarray(value))
    spec = f"affectnet={tmp_path}"
    assert available_splits(spec) == ("validation",)
    with pytest.warns(UserWarning, match="validation: 8 labels .* 4,000 or 3,999"):
        images = open_set(spec, "validation")
    assert _expressions(images) == [*EXPRESSIONS]
    assert [image.width for image, _ in images] == list(range(1, 9))


def test_npy__broken_labels(tmp_path: Path) -> None:
    images, annotations = (
        tmp_path / "train_set/images",
        tmp_path / "train_set/annotations",
    )
    for number in range(5):
        save_image(images / f"{number}.jpg")
    annotations.mkdir()
    np.save(annotations / "0_exp.npy", "1")
    (annotations / "1_exp.npy").write_bytes(b"")
    np.save(annotations / "2_exp.npy", np.zeros(2))
    np.save(annotations / "3_exp.npy", "11")
    with pytest.warns(UserWarning, match=r"4 of 5 images have no label.*images/1\.jpg"):
        train = open_set(f"affectnet={tmp_path}", "train")
    assert train.names == [str(images / "0.jpg")]


@pytest.mark.parametrize(
    "names",
    [
        list("01234567"),
        ["Neutral", "Happiness", "sad", "Surprise", "Fear", "Disgust", "ANGER"],
    ],
)
@pytest.mark.parametrize("folder", ["val", "validation"])
def test_folders(tmp_path: Path, names: list[str], folder: str) -> None:
    for width, name in enumerate(names, start=1):
        save_image(tmp_path / folder / name / "1.jpg", size=(width, 1))
    images = open_set(f"affectnet={tmp_path}", "validation")
    assert [EXPRESSIONS[image.width - 1] for image, _ in images] == images.classes
    with pytest.raises(InputError, match="can be cropped with the csv lists only"):
        open_set(f"affectnet={tmp_path}", "validation", crop_faces=True)


def test_wrong_folder(tmp_path: Path) -> None:
    with pytest.raises(
        InputError, match=r"no AffectNet .* Manually_Annotated_file_lists"
    ):
        open_set(f"affectnet={tmp_path}", "train")
    for name in ("7", "8"):
        save_image(tmp_path / "train" / name / "1.jpg")
    with pytest.raises(
        InputError, match="train/8: is no class of this set; expected 0"
    ):
        open_set(f"affectnet={tmp_path}", "train")
