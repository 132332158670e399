"""contrawarp pretrain: what it uses of faces.csv."""

import json
from pathlib import Path

import pytest
import torch
from PIL import Image

from helpers import one_line_error, run_pretrain, write
from lightly_contrawarp.data.faces_csv import csv_header
from lightly_contrawarp.transforms.batch_transform import ContraWarpBatchTransform


@pytest.fixture
def video_folder(pil_faces: list[Image.Image], tmp_path: Path) -> Path:
    """Two tracks of eleven frames, half a second apart, and two photos."""
    folder = tmp_path / "video"
    folder.mkdir()
    rows = [",".join(csv_header())]
    for index, face in enumerate(pil_faces):
        face.save(folder / f"{index:02}.png")
        track, frame = divmod(index, 11)
        when = f"{frame / 2},{track}" if track < 2 else ","
        points = "0.3,0.4,0.7,0.4,0.5,0.6,0.4,0.8,0.6,0.8"
        rows.append(f"{index:02}.png,v.mp4,{when},0.9,{points if index else ',' * 9}")
    write(folder / "faces.csv", *rows)
    return folder


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ((), "own landmarks place the warps of 23 of 24 images"),
        (("--centres", "template"), None),
        (("--num-negatives", 0), None),
        (
            ("--neighbours", 0.5),
            "own landmarks place the warps of 23 and second views show a neighbouring "
            "frame for 22 of 24 images",
        ),
        (
            ("--neighbours", 1, "--num-negatives", 0),
            "second views show a neighbouring frame for 22 of 24 images",
        ),
        (
            ("--neighbours", 1, "--pairing", "unpaired", "--negatives-from", "face"),
            "own landmarks place the warps of 23 and second views show a neighbouring "
            "frame for 22 of 24 images",
        ),
    ],
)
def test_landmarks_and_tracks_of_faces_csv(
    options: tuple[object, ...],
    says: str | None,
    video_folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shapes: list[list[tuple[int, ...]]] = []
    forward = ContraWarpBatchTransform.forward

    def seen(self: ContraWarpBatchTransform, *inputs: torch.Tensor) -> object:
        if self.transform.pairing != "single":  # which the embedding head is fitted to
            shapes.append([tuple(x.shape) for x in inputs])
        return forward(self, *inputs)

    monkeypatch.setattr(ContraWarpBatchTransform, "forward", seen)
    result = run_pretrain(video_folder, tmp_path / "run", *options)
    assert result.exit_code == 0, result.output
    lines = [x for x in result.stderr.splitlines() if "faces.csv" in x]
    assert lines == ([f"{video_folder / 'faces.csv'}: {says}"] if says else [])
    images = (8, 3, 36, 36)
    wanted = [images, (8, 8, 2)] if says else [images]
    if "--neighbours" in options:
        wanted = [images, (8, 2, 8, 2), images]
    assert shapes == [wanted] * 3
    settings = json.loads((tmp_path / "run" / "settings.json").read_text())
    assert settings["centres"] == ("template" if "template" in options else "landmarks")


def test_neighbours_that_are_not_there(
    video_folder: Path, face_folder: Path, tmp_path: Path
) -> None:
    out = tmp_path / "run"
    result = run_pretrain(face_folder, out, "--neighbours", 1)
    one_line_error(result, "faces.csv: no such file; --neighbours needs the tracks and")
    result = run_pretrain(video_folder, out, "--neighbours", 0.4)
    one_line_error(result, "faces.csv: has no two images of one track within 0.4 s")
    table = video_folder / "faces.csv"
    table.write_text(table.read_text().replace("0.3,0.4,0.7", "0.3,x,0.7", 1))
    one_line_error(
        run_pretrain(video_folder, out), "faces.csv line 3: 'x' is no number"
    )
    assert not out.exists()


@pytest.mark.parametrize("neighbours", [0, 1])
def test_views_of_workers_use_landmarks_and_neighbours(
    neighbours: int, video_folder: Path, tmp_path: Path
) -> None:
    options = ("--views", "workers", "--neighbours", neighbours)
    result = run_pretrain(video_folder, tmp_path / "run", *options)
    assert result.exit_code == 0, result.output
    assert "landmarks" in result.output
