"""Which images calibrate and which ones judge."""

from pathlib import Path

import pytest

from contrawarp_edge import InputError
from lightly_contrawarp.export.int8.calibration import (
    CALIBRATION_IMAGES,
    HELD_OUT_IMAGES,
    draw_sample,
)


def make_files(folder: Path, count: int) -> Path:
    folder.mkdir()
    for index in range(count):
        (folder / f"{index:04}.png").touch()
    return folder


@pytest.mark.parametrize(
    ("count", "calibration", "held_out"),
    [
        (200, 100, 100),
        (333, 166, 167),
        (600, CALIBRATION_IMAGES, 344),
        (1500, CALIBRATION_IMAGES, HELD_OUT_IMAGES),
    ],
)
def test_no_image_does_both(
    count: int, calibration: int, held_out: int, tmp_path: Path
) -> None:
    folder = make_files(tmp_path / "faces", count)
    sample = draw_sample(folder)
    assert len(set(sample.calibration)) == len(sample.calibration) == calibration
    assert len(set(sample.held_out)) == len(sample.held_out) == held_out
    assert not set(sample.calibration) & set(sample.held_out)
    assert sample == draw_sample(folder)
    assert sample.calibration != sorted(sample.calibration)


def test_too_few_images(tmp_path: Path) -> None:
    folder = make_files(tmp_path / "faces", 199)
    with pytest.raises(InputError, match="faces: 199 images are too few; give at leas"):
        draw_sample(folder)
    with pytest.raises(InputError, match="none: no such file or folder"):
        draw_sample(tmp_path / "none")
