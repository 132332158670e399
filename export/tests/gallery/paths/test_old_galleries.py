"""Galleries of version 2, whose paths are as they were typed."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from old_galleries import write_version_2
from stored_paths import all_open, run, seen, sha, stored

from contrawarp_edge import Gallery, ModelInfo, Record

MakeImages = Callable[..., list[Path]]


@pytest.fixture
def old(tmp_path: Path, info: ModelInfo, make_images: MakeImages) -> Path:
    """``old/out/a.gallery``, embedded from ``old`` as `faces`."""
    make_images(3, folder="old-faces")
    root = tmp_path.resolve() / "old"
    (root / "out").mkdir(parents=True)
    (tmp_path / "old-faces").rename(root / "faces")
    rows = [(f"faces/000{n}.png", "", {"n": n}) for n in range(3)]
    rows = [(name, sha(root / name), facts) for name, _, facts in rows]
    return write_version_2(root / "out" / "a.gallery", info, rows)


def elsewhere(gallery: Path) -> Path:
    """Moves a gallery to where its images are not below any folder above it."""
    folder = gallery.parents[2] / "elsewhere"
    folder.mkdir()
    return gallery.rename(folder / gallery.name)


def versions(gallery: Path) -> tuple[str, bool]:
    with closing(sqlite3.connect(gallery)) as connection:
        meta = dict(connection.execute("SELECT key, value FROM meta"))
    return meta["schema_version"], "folder" in meta


@pytest.mark.parametrize("place", ["old", "old/out"])
def test_old_gallery_is_read_as_it_is(
    old: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    if place == "old/out":  # from elsewhere, its own folder is tried
        (old.parent.parent / "faces").rename(old.parent / "faces")
        monkeypatch.chdir("/")
    else:
        monkeypatch.chdir(tmp_path / place)
    before = old.read_bytes()
    assert all_open(old)
    with Gallery.open(old, readonly=True) as opened:
        assert len(opened.search(np.ones(8, np.float32), k=3)[0]) == 3
        record = opened.get(str(tmp_path / place / "faces" / "0002.png"))
        assert record is not None
        assert record.metadata == {"n": 2}
        assert len(list(opened.iter_paths(tmp_path / place))) == 3
    assert old.read_bytes() == before
    assert versions(old) == ("2", False)


def test_old_gallery_in_a_folder_of_its_images(
    old: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was made from the folder above, and is opened where it lies."""
    monkeypatch.chdir(old.parent)
    result = run("search", old.name, "--id", 1)
    assert (result.exit_code, result.stderr) == (0, "")
    assert all_open(old)
    Gallery.open(old).close()
    assert stored(old) == [f"../faces/000{n}.png" for n in range(3)]


@pytest.mark.parametrize("place", ["old", "old/out"])
def test_old_gallery_is_upgraded(
    old: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    name = "../faces/000{}.png"
    if place == "old/out":
        (old.parent.parent / "faces").rename(old.parent / "faces")
        name = "faces/000{}.png"
        monkeypatch.chdir("/")
    else:
        monkeypatch.chdir(tmp_path / place)
    (tmp_path / place / "faces" / "0001.png").unlink()  # goes with the others
    Gallery.open(old).close()
    assert versions(old) == ("4", True)
    assert stored(old) == [name.format(n) for n in range(3)]
    monkeypatch.chdir("/")
    assert len([path for path in seen(old) if os.path.exists(path)]) == 2


def test_old_gallery_that_finds_nothing_stays(
    old: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir("/")
    old = elsewhere(old)
    before = stored(old)
    Gallery.open(old).close()
    assert stored(old) == before
    assert versions(old) == ("4", False)
    result = run("search", old, "--id", 1)
    assert result.exit_code == 0
    assert result.stderr == (
        "3 of 3 originals cannot be found, such as faces/0000.png; start from the "
        "folder from which they were embedded\n"
    )
    result = run("prune", old)
    assert result.exit_code == 2
    assert "none of its 3 files is there" in result.stderr
    monkeypatch.chdir(tmp_path / "old")
    assert all_open(old)
    assert run("search", old, "--id", 1).stderr == ""
    Gallery.open(old).close()
    assert versions(old) == ("4", True)
    monkeypatch.chdir("/")
    assert all_open(old)


def test_old_rows_are_replaced_though_their_files_are_away(
    old: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir("/")
    old = elsewhere(old)
    with Gallery.open(old) as gallery:
        record = Record("faces/0001.png", "new", np.ones(8))
        assert gallery.add([record]) == [2]
        assert gallery.sha256_of("faces/0001.png") == "new"
    assert len(stored(old)) == 3


def test_a_reader_goes_on_while_another_settles(
    old: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path / "old")
    with Gallery.open(old, readonly=True) as reader:
        Gallery.open(old).close()
        monkeypatch.chdir("/")
        paths = [record.path for record in reader.iter_records()]
    assert all(map(os.path.exists, paths))


def test_old_rows_of_one_file_become_one(
    tmp_path: Path, info: ModelInfo, make_images: MakeImages
) -> None:
    path = make_images(1)[0]
    rows: list[tuple[str, str, dict[str, object]]] = [
        (str(path), sha(path), {"a": 1, "b": 1}),
        ("/elsewhere/a.png", "x", {}),
        (f"{path.parent}/../faces/0000.png", sha(path), {"b": 2}),
    ]
    old = write_version_2(tmp_path / "a.gallery", info, rows)
    with Gallery.open(old) as gallery:
        found = {record.id: record.metadata for record in gallery.iter_records()}
        assert len(gallery.search(np.ones(8, np.float32), k=3)[0]) == 2
    assert found == {2: {}, 3: {"a": 1, "b": 2}}
    assert stored(old) == ["/elsewhere/a.png", "faces/0000.png"]
