"""contrawarp preview: a sheet of faces, warps with arrows, and views."""

from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner, Result
from PIL import Image, ImageDraw

from lightly_contrawarp import ContraWarpTransform, LocalWarp
from lightly_contrawarp.cli import main
from lightly_contrawarp.data.sample_faces import sample_faces
from lightly_contrawarp.data.synthetic import (
    draw_parameters,
    face_landmarks,
    save_drawn_faces,
)
from lightly_contrawarp.transforms.geometry.bumps import WarpParameters
from lightly_contrawarp.transforms.preview import PreviewFace, preview_sheet

TILE, GAP, HEAD = 144, 6, 22
OWN = (0, 229, 255)
SETTINGS = ("--rows", 2, "--input-size", 32, "--num-negatives", 1, "--warp", "bumps")


def run(*arguments: object) -> Result:
    words = [str(argument) for argument in ("preview", *arguments)]
    return CliRunner().invoke(main, words)


def pixels(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        assert (image.format, image.mode) == ("PNG", "RGB")
        return np.asarray(image)


def arrows(
    sheet: np.ndarray,
    row: int,
    column: int,
    colour: tuple[int, int, int] = (255, 216, 0),
) -> np.ndarray:
    """Positions (x, y) of the arrows' pixels in a tile, as fractions of it."""
    top, left = HEAD + row * (TILE + GAP), GAP + column * (TILE + GAP)
    tile = sheet[top : top + TILE, left : left + TILE]
    y, x = np.nonzero((tile == colour).all(2))
    return (np.stack([x, y], 1) + 0.5) / TILE


@pytest.mark.parametrize("with_folder", [True, False])
def test_size_and_arrows(with_folder: bool, face_folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "new" / "sheet.png"
    folder = [face_folder] if with_folder else []
    result = run(*folder, "--out", out, *SETTINGS)
    assert result.exit_code == 0, result.output
    width, height = 6 * (TILE + GAP) + GAP, 2 * (TILE + GAP) + HEAD
    assert result.stdout == f"{out}: {width} x {height} pixels\n"
    sheet = pixels(out)
    assert sheet.shape == (height, width, 3)
    for row in range(2):
        counts = [len(arrows(sheet, row, column)) for column in range(6)]
        assert counts[1] > 20
        assert counts[0] == counts[2] == counts[3] == counts[4] == counts[5] == 0


def test_settings_decide_the_columns(tmp_path: Path) -> None:
    out = tmp_path / "sheet.png"
    for options, columns in [
        (("--num-negatives", 0), 3),
        (("--num-negatives", 2), 9),
        (("--num-negatives", 2, "--pairing", "unpaired"), 7),
        (("--num-negatives", 2, "--pairing", "single"), 6),
    ]:
        for warp in ("bumps", "actions"):
            result = run("--out", out, *SETTINGS, *options, "--warp", warp)
            assert result.exit_code == 0, result.output
            assert pixels(out).shape[1] == columns * (TILE + GAP) + GAP


@pytest.mark.parametrize("with_folder", [True, False])
def test_the_seed_decides_the_picture(
    with_folder: bool, face_folder: Path, tmp_path: Path
) -> None:
    folder = [face_folder] if with_folder else []
    sheets = []
    for seed in (0, 0, 1):
        torch.rand(3)  # what happened before does not matter
        out = tmp_path / "sheet.png"
        assert run(*folder, "--out", out, *SETTINGS, "--seed", seed).exit_code == 0
        sheets.append(pixels(out))
    assert np.array_equal(sheets[0], sheets[1])
    warped = slice(GAP + TILE + GAP, GAP + 2 * (TILE + GAP))
    assert not np.array_equal(sheets[0][HEAD:, warped], sheets[2][HEAD:, warped])


def test_arrows_are_only_where_the_warp_moves(monkeypatch: pytest.MonkeyPatch) -> None:
    transform = ContraWarpTransform(32, warp=LocalWarp())
    center, radius = np.array([0.3, 0.6]), 0.25
    bump = WarpParameters(
        torch.tensor(center[None, None], dtype=torch.float32),
        torch.tensor([[radius]]),
        torch.tensor([[[0.1, 0.0]]]),
        torch.zeros(1, 0),
    )
    face = Image.new("RGB", (50, 50), "grey")
    monkeypatch.setattr(transform.warp, "draw", lambda batch: bump)
    found = arrows(np.asarray(preview_sheet([PreviewFace(face)], transform)), 0, 1)
    assert len(found) > 20
    assert (np.linalg.norm(found - center, axis=1) < radius).all()
    assert (np.ptp(found, axis=0) > 0.1).all()

    monkeypatch.setattr(transform.warp, "draw", lambda batch: bump.stilled())
    assert (
        len(arrows(np.asarray(preview_sheet([PreviewFace(face)], transform)), 0, 1))
        == 0
    )


def test_an_arrow_points_where_the_face_goes(monkeypatch: pytest.MonkeyPatch) -> None:
    transform = ContraWarpTransform(32, warp=LocalWarp())
    # The middle of the picture is where an arrow starts.
    bump = WarpParameters(
        torch.tensor([[[0.5, 0.5]]]),
        torch.tensor([[0.4]]),
        torch.tensor([[[0.1, 0.0]]]),
        torch.zeros(1, 0),
    )
    monkeypatch.setattr(transform.warp, "draw", lambda batch: bump)
    face = Image.new("RGB", (TILE, TILE), "white")
    face.paste("black", (69, 69, 75, 75))
    sheet = np.asarray(preview_sheet([PreviewFace(face)], transform))
    left = GAP + TILE + GAP
    tile = sheet[HEAD : HEAD + TILE, left : left + TILE]
    spot = (np.nonzero((tile < 60).all(2))[1].mean() + 0.5) / TILE
    assert spot > 0.55
    x, y = arrows(sheet, 0, 1).T
    middle = (np.abs(y - 0.5) < 0.03) & (x > 0.505) & (x < 0.59)
    assert x[middle].max() == pytest.approx(spot, abs=0.02)
    barb = middle & (np.abs(y - 0.5) > 0.006)  # all but the line is the arrow's head
    assert barb.any()
    assert x[barb].min() > (0.5 + spot) / 2


def test_warps_are_captioned(tmp_path: Path) -> None:
    """Below each warp of actions are two or three lines; nothing is below the rest."""
    out = tmp_path / "sheet.png"
    assert run("--out", out, *SETTINGS, "--warp", "actions").exit_code == 0
    sheet = pixels(out)
    lines, rest = divmod(sheet.shape[0] - HEAD - 2 * (TILE + GAP), 2 * 13)
    assert lines in (2, 3)
    assert rest == 0
    pitch = TILE + GAP + lines * 13
    for row in range(2):
        below = sheet[HEAD + row * pitch + TILE :][: lines * 13] < 128
        written = [below[:, GAP + k * (TILE + GAP) :][:, :TILE].any() for k in range(6)]
        assert written == [False, True, False, False, False, False]
        assert not below[:, GAP + 2 * TILE :].any()  # it fits below its tile


def test_captions_say_what_was_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    transform = ContraWarpTransform(32)
    drawn = transform.warp.draw(1)
    strengths = torch.zeros(1, 10)
    strengths[0, transform.warp.names.index("jaw_down")] = -0.306
    strengths[0, transform.warp.names.index("brows_together")] = 0.22
    monkeypatch.setattr(
        transform.warp, "draw", lambda batch: drawn._replace(actions=strengths)
    )
    said: list[str] = []
    write = ImageDraw.ImageDraw.text
    monkeypatch.setattr(
        ImageDraw.ImageDraw,
        "text",
        lambda brush, place, text, **how: (
            said.append(text),
            write(brush, place, text, **how),
        ),
    )
    preview_sheet([PreviewFace(Image.new("RGB", (50, 50)))], transform)
    assert "brows together .22\njaw up .31" in said


def test_own_landmarks_are_marked_and_move(tmp_path: Path) -> None:
    """Marks on the face, and feet of arrows, lie where faces.csv says."""
    folder, out = tmp_path / "faces", tmp_path / "sheet.png"
    save_drawn_faces(
        folder, 2, num_identities=2, seed=4, size=TILE, labelled=False
    )  # fmt: skip
    assert run(folder, "--out", out, *SETTINGS).exit_code == 0
    sheet = pixels(out)
    drawn = draw_parameters(2, num_identities=2, seed=4)
    own = face_landmarks(drawn)[drawn.identities.argsort()]  # the order of the files
    for row in range(2):
        marks = arrows(sheet, row, 0, OWN)
        assert len(marks) > 8 * 8
        points = own[row].numpy()
        apart = np.linalg.norm(marks[:, None] - points, axis=2).min(1)
        assert np.median(apart) < 0.02
        eyes = points[2:4]  # detectors find the eyes; brows are placed by them
        assert (np.linalg.norm(marks[:, None] - eyes, axis=2).min(0) < 0.01).all()
        assert len(arrows(sheet, row, 1, OWN)) > 5
        assert all(len(arrows(sheet, row, k, OWN)) == 0 for k in (2, 3, 4, 5))
    (folder / "faces.csv").unlink()
    assert run(folder, "--out", out, *SETTINGS).exit_code == 0
    assert len(arrows(pixels(out), 0, 0, OWN)) == 0
    (folder / "faces.csv").write_text("name\n")
    result = run(folder, "--out", out, *SETTINGS)
    assert result.exit_code == 2
    assert "faces.csv line 1: no column path" in result.stderr


def test_faces_are_spread_over_the_folder(tmp_path: Path) -> None:
    for index in range(10):
        Image.new("RGB", (8, 8), (index, 0, 0)).save(tmp_path / f"{index}.png")
    noise = Image.effect_noise((64, 64), 90)
    noise.save(tmp_path / "4.png")
    (tmp_path / "4.png").write_bytes((tmp_path / "4.png").read_bytes()[:1000])
    reds = [face.image.getpixel((0, 0))[0] for face in sample_faces(tmp_path, 5)]
    assert reds == [0, 2, 5, 6, 8]  # 4 cannot be decoded
    assert len(sample_faces(tmp_path, 50)) == 10


def test_bad_input_is_one_line(tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "1.jpg").write_text("no image")
    before = set(tmp_path.iterdir())
    out = tmp_path / "new" / "sheet.png"
    for arguments, message in [
        ((tmp_path / "none", "--out", out), "none: no such file or folder"),
        ((broken, "--out", out), "not one of 1 files is a readable image"),
        (("--out", tmp_path), "is a folder; --out has to be a file"),
        (("--out", broken / "1.jpg" / "a.png"), "1.jpg: File exists"),
    ]:
        result = run(*arguments, *SETTINGS)
        assert result.exit_code == 2, result.output
        (line,) = result.stderr.splitlines()
        assert line.startswith("Error: ")
        assert message in line
    assert set(tmp_path.iterdir()) == before
