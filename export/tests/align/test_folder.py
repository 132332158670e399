"""Names, repetition, changes and kills of ``align_into``."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from photos import SMALL, align, crops, photo, skipped, table
from PIL import Image

from contrawarp_edge.align.crop import FACE_CROP
from contrawarp_edge.align.folder import align_into
from contrawarp_edge.align.rules import Rules
from contrawarp_edge.align.store import AlignRecord, FaceRow
from contrawarp_edge.core.errors import InputError
from contrawarp_edge.inputs.images import iter_images

pytestmark = pytest.mark.usefixtures("pretend")

COLUMNS = (
    "path,source,time,track,score,left_eye_x,left_eye_y,right_eye_x,right_eye_y,"
    "nose_x,nose_y,left_mouth_corner_x,left_mouth_corner_y,right_mouth_corner_x,"
    "right_mouth_corner_y"
)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    root = tmp_path / "photos"
    photo(root / "a.png", 2)
    photo(root / "none.png", 0)
    photo(root / "happy" / "a.png", 1)
    (root / "broken.jpg").write_text("nothing")
    return root


def test_largest_face_of_each(source: Path, tmp_path: Path) -> None:
    target = tmp_path / "new" / "faces"
    outcome = align(target, source)
    assert (outcome.faces, outcome.photos, outcome.unchanged) == (2, 4, 0)
    assert crops(target) == ["a.jpg", "happy/a.jpg"]
    assert (target / "contact.png").is_file()
    assert skipped(target) == {
        str(source / "broken.jpg"): "not an image that Pillow can read",
        str(source / "none.png"): "no face found",
    }
    text = (target / "faces.csv").read_text()
    assert text.splitlines()[0] == COLUMNS
    rows = table(target)
    assert [row["path"] for row in rows] == ["a.jpg", "happy/a.jpg"]
    assert rows[0]["source"] == str(source / "a.png")
    assert rows[0]["time"] == rows[0]["track"] == ""
    points = [float(rows[0][name]) for name in COLUMNS.split(",")[5:]]
    np.testing.assert_allclose(points, FACE_CROP.five_points.ravel(), atol=1e-5)
    assert Image.open(target / "a.jpg").size == (16, 16)


def test_all_faces(source: Path, tmp_path: Path) -> None:
    align(tmp_path / "b", source, Rules(size=16, all_faces=True))
    assert crops(tmp_path / "b") == ["a_1.jpg", "a_2.jpg", "happy/a_1.jpg"]


def test_repeating_does_nothing_twice(source: Path, tmp_path: Path) -> None:
    first = align(tmp_path / "b", source)
    stamps = {p: p.stat().st_mtime_ns for p in iter_images(tmp_path / "b")}
    second = align(tmp_path / "b", source)
    assert (second.faces, second.unchanged) == (0, 3)
    assert second.skipped == first.skipped
    assert stamps == {p: p.stat().st_mtime_ns for p in iter_images(tmp_path / "b")}


def test_changed_deleted_and_new_files(source: Path, tmp_path: Path) -> None:
    target, rules = tmp_path / "b", Rules(size=16, all_faces=True)
    align(target, source, rules)
    photo(source / "a.png", 1)
    photo(source / "none.png", 3)
    photo(source / "broken.jpg", 1)
    (target / "happy" / "a_1.jpg").unlink()
    outcome = align(target, source, rules)
    assert outcome.unchanged == 0
    names = ["a_1.jpg", "broken_1.jpg", "none_1.jpg", "none_2.jpg", "none_3.jpg"]
    assert crops(target) == [*names, "happy/a_1.jpg"]
    assert sorted(row["path"] for row in table(target)) == sorted(crops(target))
    assert skipped(target) == {}


def test_a_photo_that_breaks(source: Path, tmp_path: Path) -> None:
    align(tmp_path / "b", source)
    (source / "a.png").write_text("broken")
    align(tmp_path / "b", source)
    assert crops(tmp_path / "b") == ["happy/a.jpg"]
    assert str(source / "a.png") in skipped(tmp_path / "b")


def test_frames_of_a_video_that_changes_or_breaks(tmp_path: Path) -> None:
    def frame(second: int) -> FaceRow:
        path = f"clip.mp4#t={second}.000"
        box = (0.0, 0.0, 1.0, 1.0)
        return FaceRow(f"{second}.jpg", path, "clip.mp4", second, 1, 0.9, [0.5], box)

    dropped: list[str] = []
    with closing(AlignRecord(tmp_path, {})) as record:
        for second in range(3):
            face = frame(second)
            record.store(face.path, "clip.mp4", "old", [], [face], dropped.append)
        record.store("clip.mp4", "clip.mp4", "", ["truncated"], [], dropped.append)
        assert dropped == []
        assert [face.file for face in record.faces()] == ["0.jpg", "1.jpg", "2.jpg"]
        face = frame(1)
        record.store(face.path, "clip.mp4", "new", [], [face], dropped.append)
        assert sorted(dropped) == ["0.jpg", "1.jpg", "2.jpg"]
        assert list(record.faces()) == [face]
        assert list(record.skipped()) == []


def test_equal_names_do_not_collide(tmp_path: Path) -> None:
    paths = [
        photo(tmp_path / "x" / "a.png", 1),
        photo(tmp_path / "x" / "a.gif", 1, green=50),
        photo(tmp_path / "y" / "a.png", 1, green=100),
    ]
    for _ in range(2):
        align_into(tmp_path / "b", paths, SMALL)
        names = crops(tmp_path / "b")
        assert len(names) == 3
        assert names.count("a.jpg") == 1
    owners = {row["path"]: row["source"] for row in table(tmp_path / "b")}
    assert sorted(owners.values()) == sorted(map(str, paths))


def test_a_name_that_another_photo_numbers(tmp_path: Path) -> None:
    root = tmp_path / "photos"
    photo(root / "a.png", 1)
    photo(root / "a_1.png", 1)
    align(tmp_path / "b", root, Rules(size=16, all_faces=True))
    assert crops(tmp_path / "b") == ["a_1.jpg", "a_1_1.jpg"]


@pytest.mark.parametrize("kind", ["foreign", "file", "settings", "inside", "record"])
def test_refused_folders(source: Path, tmp_path: Path, kind: str) -> None:
    target, rules = tmp_path / "b", SMALL
    if kind == "foreign":
        photo(target / "mine.png", 1)
    elif kind == "file":
        target.write_text("")
    elif kind == "settings":
        align(target, source)
        rules = Rules(size=32)
    elif kind == "inside":
        target = source / "faces"
    else:
        target.mkdir()
        (target / ".align.sqlite").write_text("something else" * 99)
    with pytest.raises(InputError) as error:
        align(target, source, rules)
    assert str(target) in str(error.value)


def test_a_name_that_is_no_text(source: Path, tmp_path: Path) -> None:
    try:
        photo(source / os.fsdecode(b"b\xe9.png"), 1)
    except OSError:
        pytest.skip("this file system has no such names")
    for _ in range(2):
        align(tmp_path / "b", source)
        reasons = skipped(tmp_path / "b").values()
        assert "its name is not valid UTF-8; rename it" in reasons
        assert crops(tmp_path / "b") == ["a.jpg", "happy/a.jpg"]


def test_nothing_to_show(tmp_path: Path) -> None:
    photo(tmp_path / "a" / "none.png", 0)
    align(tmp_path / "b", tmp_path / "a")
    assert crops(tmp_path / "b") == []
    assert table(tmp_path / "b") == []
    assert not (tmp_path / "b" / "contact.png").exists()


SLOW = """
import sys, time
sys.path[:0] = sys.argv[3:]
from pathlib import Path
from pretended_faces import faces_by_colour
from contrawarp_edge.align import folder, rules
from contrawarp_edge.inputs.images import iter_images
rules.find_faces = faces_by_colour
def say(outcome):
    print(outcome.photos, flush=True)
    time.sleep(0.02)
source, target = map(Path, sys.argv[1:3])
folder.align_into(target, iter_images(source), rules.Rules(size=16), say)
"""


def test_a_kill_loses_nothing_that_was_done(tmp_path: Path) -> None:
    for number in range(60):
        photo(tmp_path / "a" / f"{number:02}.png", 1, green=number)
    target = tmp_path / "b"
    paths = [path for path in sys.path if path]
    for _ in range(2):
        process = subprocess.Popen(
            [sys.executable, "-c", SLOW, tmp_path / "a", target, *paths],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert process.stdout is not None
        done = 0
        for line in process.stdout:
            done = int(line)
            if done >= 15:
                break
        process.kill()
        process.wait()
        assert len(crops(target)) >= done
    outcome = align_into(target, iter_images(tmp_path / "a"), SMALL)
    assert outcome.unchanged >= 15
    assert len(crops(target)) == len(table(target)) == 60
    assert not [p for p in os.listdir(target) if p.endswith(".draft")]


@pytest.mark.parametrize("bytes_", [240, 251, 255])
@pytest.mark.parametrize("letter", ["x", "名", "😀"])
def test_long_names(tmp_path: Path, letter: str, bytes_: int) -> None:
    length = (bytes_ - len(".png")) // len(letter.encode())
    source = tmp_path / "a"
    for number in range(2):  # names that are equal where they are cut
        photo(source / f"{letter * (length - 1)}{number}.png", 1, green=number)
    photo(source / "short.png", 1, green=9)
    outcome = align(tmp_path / "b", source)
    assert (outcome.faces, outcome.skipped) == (3, [])
    assert len(crops(tmp_path / "b")) == 3
    assert {row["source"] for row in table(tmp_path / "b")} == {
        str(path) for path in source.iterdir()
    }
    assert align(tmp_path / "b", source).unchanged == 3


def test_a_crop_that_cannot_be_named_stops_no_others(tmp_path: Path) -> None:
    source = tmp_path / "a"
    photo(source / "x.png", 1)
    photo(source / "x.jpg" / "y.png", 1, green=1)  # below the crop of the other
    photo(source / "z.png", 1, green=2)
    for _ in range(2):
        outcome = align(tmp_path / "b", source)
        assert crops(tmp_path / "b") == ["x.jpg", "z.jpg"]
        ((path, reason),) = outcome.skipped
        assert path == str(source / "x.jpg" / "y.png")
        assert reason == "its crop cannot be named x.jpg/y.jpg: File exists"
    assert list(skipped(tmp_path / "b").values()) == [reason]


def test_a_full_disk_stops_everything(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def write(path: Path, content: bytes) -> None:
        try:
            raise OSError(errno.ENOSPC, "No space left on device")
        except OSError as error:
            raise InputError(f"{path}: cannot be written") from error

    photo(tmp_path / "a" / "x.png", 1)
    monkeypatch.setattr("contrawarp_edge.align.folder.atomic_write", write)
    with pytest.raises(InputError, match=r"x\.jpg: cannot be written"):
        align(tmp_path / "b", tmp_path / "a")
