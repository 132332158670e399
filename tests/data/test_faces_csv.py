"""faces.csv: reading it, and what it lacks."""

from pathlib import Path

import pytest
import torch

from contrawarp_edge.core.errors import InputError
from helpers import write
from lightly_contrawarp.data.faces_csv import (
    CropRow,
    csv_header,
    facts_of,
    read_faces_csv,
)
from lightly_contrawarp.data.synthetic import (
    draw_parameters,
    face_landmarks,
    save_drawn_faces,
)
from lightly_contrawarp.transforms.geometry.landmarks import template_points

HEADER = (
    "path,source,time,track,score,left_eye_x,left_eye_y,right_eye_x,right_eye_y,"
    "nose_x,nose_y,left_mouth_corner_x,left_mouth_corner_y,right_mouth_corner_x,"
    "right_mouth_corner_y"
)
POINTS = "0.3,0.4,0.7,0.4,0.5,0.6,0.4,0.8,0.6,0.8"
EMPTY = "," * 9


def test_header_is_that_of_align() -> None:
    assert ",".join(csv_header()) == HEADER


def test_rows(tmp_path: Path) -> None:
    table = write(
        tmp_path / "faces.csv",
        HEADER + ",more",
        f"a.jpg,photo.jpg,,,0.9,{POINTS},x",
        f"b/c.jpg,video.mp4,1.25,7,0.9,{POINTS},",
        f"d.jpg,photo.jpg,,,,{EMPTY},",
    )
    points = tuple(map(float, POINTS.split(",")))
    assert read_faces_csv(table) == {
        tmp_path / "a.jpg": CropRow(points, None, None),
        tmp_path / "b" / "c.jpg": CropRow(points, "7", 1.25),
        tmp_path / "d.jpg": CropRow(None, None, None),
    }
    paths = [tmp_path / name for name in ("d.jpg", "b/c.jpg", "unknown.jpg")]
    facts = facts_of(paths, read_faces_csv(table))
    assert facts.known == 1
    assert facts.tracks == [None, "7", None]
    assert facts.times == [None, 1.25, None]
    assert torch.equal(facts.landmarks[0], template_points())
    assert torch.equal(facts.landmarks[2], template_points())
    five = [2, 3, 4, 5, 6]  # eyes, nose and corners among the contract's landmarks
    assert facts.landmarks[1, five].flatten().tolist() == pytest.approx(list(points))


def test_track_and_time_may_be_missing(tmp_path: Path) -> None:
    columns = [name for name in HEADER.split(",") if name not in ("time", "track")]
    table = write(tmp_path / "faces.csv", ",".join(columns), f"a.jpg,s,1,{POINTS}")
    (row,) = read_faces_csv(table).values()
    assert (row.track, row.time) == (None, None)


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ([], "faces.csv: is empty"),
        (["file,label"], "line 1: no column path, left_eye_x, .*contrawarp-edge align"),
        ([HEADER, "a.jpg,1"], "line 2: 2 columns, not 15"),
        ([HEADER, f",s,,,1,{POINTS}"], "line 2: '' is no path"),
        ([HEADER, *[f"a.jpg,s,,,1,{POINTS}"] * 2], "line 3: 'a.jpg' is listed twice"),
        ([HEADER, f"a.jpg,s,,,1,x{POINTS}"], "line 2: 'x0.3' is no number"),
        ([HEADER, f"a.jpg,s,,,1,{POINTS[:-3]}"], "line 2: '' is no number"),
        ([HEADER, f"a.jpg,s,soon,1,1,{POINTS}"], "line 2: 'soon' is no number"),
        ([HEADER, f"a.jpg,s,nan,1,1,{POINTS}"], "line 2: 'nan' is no number"),
        (
            [HEADER, "a.jpg,s,,,1,30,40,70,40,50,60,40,80,60,80"],
            "fractions of the crop",
        ),
        ([HEADER, "a.jpg,s,,,1" + ",0.5" * 10], "line 2: .* fractions of the crop"),
    ],
)
def test_bad_tables(tmp_path: Path, lines: list[str], message: str) -> None:
    table = write(tmp_path / "faces.csv", *lines)
    with pytest.raises(InputError, match=message):
        read_faces_csv(table)
    table.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="is no csv file"):
        read_faces_csv(table)


def test_drawn_faces_leave_one(tmp_path: Path) -> None:
    folder = tmp_path / "faces"
    save_drawn_faces(folder, 7, num_identities=3, seed=2, size=32, labelled=True)
    rows = read_faces_csv(folder / "faces.csv")
    expected = face_landmarks(draw_parameters(7, num_identities=3, seed=2))
    assert all(path.is_file() for path in rows)
    for row, points in zip(rows.values(), expected, strict=True):
        assert row.points == pytest.approx(points[2:7].flatten().tolist(), abs=1e-5)
