from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from contrawarp_edge.align import framing
from contrawarp_edge.align.crop import FACE_CROP
from contrawarp_edge.align.framing import framing_warning, typical_offset
from contrawarp_edge.align.rules import Rules, align_one


def test_offset_of_a_shift_and_a_scale() -> None:
    on = np.stack([FACE_CROP.five_points] * 9)
    assert typical_offset(on, FACE_CROP) == (0, pytest.approx(1))
    offset, scale = typical_offset(on + np.array([0.038, 0]), FACE_CROP)
    assert offset == pytest.approx(0.1)
    assert scale == pytest.approx(1)
    assert typical_offset(on / 2, FACE_CROP)[1] == pytest.approx(0.5)


def test_a_few_odd_ones_do_not_matter() -> None:
    points = np.stack([FACE_CROP.five_points] * 9)
    points[:4] += 5
    assert typical_offset(points, FACE_CROP)[0] == 0


def save(folder: Path, image: Image.Image, count: int = 9) -> list[Path]:
    folder.mkdir()
    paths = [folder / f"{number}.png" for number in range(count)]
    for path in paths:
        image.save(path)
    return paths


def test_aligned_faces_are_silent_and_others_not(
    astronaut: Image.Image, tmp_path: Path
) -> None:
    aligned = Image.fromarray(align_one(np.asarray(astronaut), Rules()))
    paths = save(tmp_path / "a", aligned)
    assert framing_warning(paths, 9, FACE_CROP) is None
    paths = save(tmp_path / "b", astronaut)
    text = framing_warning(paths, 9, FACE_CROP)
    assert text is not None
    assert text.endswith("0.23 times as large; do this") or "0.2" in text


def test_silent_without_faces_or_detector(
    astronaut: Image.Image, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = save(tmp_path / "a", astronaut)
    assert framing_warning(paths[:7], 7, FACE_CROP) is None  # too few to say
    blank = save(tmp_path / "b", Image.new("RGB", (64, 64)))
    (tmp_path / "b" / "0.png").write_text("broken")
    assert framing_warning(blank, 9, FACE_CROP) is None
    monkeypatch.setitem(sys.modules, "cv2", None)
    assert framing_warning(paths, 9, FACE_CROP) is None


def test_looks_at_a_sample(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    seen: list[Path] = []

    def points_in(path: Path) -> None:
        seen.append(path)

    monkeypatch.setattr(framing, "_points_in", points_in)
    monkeypatch.setattr(framing, "can_detect", lambda: True)
    paths = [Path(f"{number}.png") for number in range(1000)]
    assert framing_warning(paths, 1000, FACE_CROP) is None
    assert 60 <= len(seen) <= 70
    assert seen[-1].stem > "950"
