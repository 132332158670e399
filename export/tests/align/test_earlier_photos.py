"""Photos of earlier runs: gone, moved, renamed, or on a disk that is away."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
from photos import SMALL, align, crops, photo, skipped, table

from contrawarp_edge.align import store
from contrawarp_edge.align.folder import align_into
from contrawarp_edge.align.rules import Rules
from contrawarp_edge.align.store import AlignRecord
from contrawarp_edge.inputs.images import iter_images

pytestmark = pytest.mark.usefixtures("pretend")


def everything(folder: Path) -> bytes:
    return b"".join(p.name.encode() + p.read_bytes() for p in folder.rglob("*.*"))


@pytest.mark.parametrize("all_faces", [False, True])
def test_photos_that_are_gone(tmp_path: Path, all_faces: bool) -> None:
    root, target = tmp_path / "a", tmp_path / "b"
    rules = Rules(size=16, all_faces=all_faces)
    kept = photo(root / "x" / "kept.png", 1)
    gone = photo(root / "person" / "secret.png", 2, green=9)
    none = photo(root / "person" / "faceless.png", 0, green=9)
    align(target, root, rules)
    sheet = (target / "contact.png").read_bytes()
    gone.unlink()
    none.unlink()
    outcome = align(target, root, rules)
    assert (outcome.gone, outcome.faces, outcome.unchanged) == (2, 0, 1)
    assert crops(target) == ["x/kept_1.jpg" if all_faces else "x/kept.jpg"]
    assert [row["source"] for row in table(target)] == [str(kept)]
    assert (target / "contact.png").read_bytes() != sheet
    for word in (b"secret", b"person", b"faceless"):
        assert word not in everything(target)
    assert not (target / "person").exists()


def test_a_folder_that_was_renamed(tmp_path: Path) -> None:
    target = tmp_path / "b"
    photo(tmp_path / "p" / "happy" / "x.png", 1)
    photo(tmp_path / "p" / "erased.png", 1)
    photo(tmp_path / "p" / "y.png", 1)  # the same as x
    align(target, tmp_path / "p")
    stamps = {p: p.stat().st_mtime_ns for p in iter_images(target)}
    (tmp_path / "p" / "erased.png").unlink()
    (tmp_path / "p").rename(tmp_path / "q")
    outcome = align(target, tmp_path / "q")
    assert (outcome.faces, outcome.unchanged, outcome.gone) == (0, 2, 1)
    assert crops(target) == ["y.jpg", "happy/x.jpg"]
    assert all(stamps[p] == p.stat().st_mtime_ns for p in iter_images(target))
    sources = sorted(row["source"] for row in table(target))
    assert sources == [str(tmp_path / "q" / n) for n in ("happy/x.png", "y.png")]
    assert b"erased" not in everything(target)


def test_a_photo_that_was_moved_is_not_there_twice(tmp_path: Path) -> None:
    root, target = tmp_path / "p", tmp_path / "b"
    face = photo(root / "happy" / "x.png", 1)
    photo(root / "sad" / "z.png", 1, green=5)
    align(target, root)
    face.rename(root / "sad" / "x.png")
    outcome = align(target, root)  # the folders of crops are classes
    assert (outcome.faces, outcome.unchanged, outcome.gone) == (1, 1, 1)
    assert crops(target) == ["sad/x.jpg", "sad/z.jpg"]


def test_another_spelling_of_a_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "b"
    photo(tmp_path / "p" / "x.png", 1)
    monkeypatch.chdir(tmp_path)
    align(target, Path("p"))
    for folder, root in ((tmp_path, tmp_path / "p"), (tmp_path / "p", Path("."))):
        monkeypatch.chdir(folder)
        outcome = align(target, root)
        assert (outcome.faces, outcome.unchanged, outcome.gone) == (0, 1, 0)
        assert crops(target) == ["x.jpg"]


@pytest.mark.parametrize("state", ["missing", "empty", "unreadable", "there"])
def test_crops_of_a_disk_that_is_away_stay(
    tmp_path: Path, state: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk, target = tmp_path / "disk", tmp_path / "b"
    face = photo(disk / "x.png", 1)
    photo(disk / "y.png", 1, green=7)
    photo(tmp_path / "p" / "z.png", 1, green=5)
    align(target, disk)
    if state in ("missing", "empty"):
        disk.rename(tmp_path / "unplugged")
    if state == "empty":
        disk.mkdir()
    elif state == "unreadable":
        lstat = os.lstat

        def refused(path: str) -> os.stat_result:
            if str(path) == str(face):
                raise PermissionError(13, "Permission denied", path)
            return lstat(path)

        monkeypatch.setattr(os, "lstat", refused)
    elif state == "there":
        face.unlink()
    outcome = align(target, tmp_path / "p")
    assert outcome.gone == (1 if state == "there" else 0)
    assert ("x.jpg" in crops(target)) == (state != "there")


@pytest.mark.skipif(os.name == "nt", reason="no fork")
@pytest.mark.parametrize("moment", ["unlink", "COMMIT", "VACUUM"])
def test_a_kill_while_a_crop_is_erased(tmp_path: Path, moment: str) -> None:
    root, target = tmp_path / "p", tmp_path / "b"
    photo(root / "x.png", 1)
    photo(root / "erased.png", 1, green=7)
    align(target, root)
    (root / "erased.png").unlink()
    if (child := os.fork()) == 0:

        def kill(*arguments: object, **options: object) -> None:
            os.kill(os.getpid(), signal.SIGKILL)

        if moment == "unlink":
            Path.unlink = kill  # type: ignore[method-assign, assignment]
        elif moment == "COMMIT":
            delete = AlignRecord._delete_faces
            AlignRecord._delete_faces = lambda *a: kill(delete(*a))  # type: ignore[method-assign, assignment]
        else:
            forget = AlignRecord.forget

            def forget_and_die(record: AlignRecord, *arguments: object) -> None:
                store.erase = kill  # type: ignore[assignment]
                forget(record, *arguments)  # type: ignore[arg-type]

            AlignRecord.forget = forget_and_die  # type: ignore[method-assign, assignment]
        align(target, root)
        os._exit(0)
    assert os.waitpid(child, 0)[1] == signal.SIGKILL
    align(target, root)
    assert crops(target) == ["x.jpg"]
    assert b"erased" not in everything(target)


def test_a_name_with_a_zero_byte(tmp_path: Path) -> None:
    """No file can have it, but a list of another kind may say so."""
    root, target = tmp_path / "a", tmp_path / "b"
    good, bad = photo(root / "x.png", 1), root / "a\0b.png"
    for unchanged in (0, 1):
        outcome = align_into(target, [good, bad], SMALL, roots=[root])
        assert (outcome.unchanged, outcome.gone) == (unchanged, 0)
        ((path, reason),) = outcome.skipped
        assert path == str(bad)
        assert "zero byte" in reason
    outcome = align(target, root)
    assert (outcome.unchanged, outcome.gone, outcome.skipped) == (1, 1, [])
    assert skipped(target) == {}
