"""Galleries that are opened from other folders, or were moved."""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from stored_paths import all_open, run, seen, sha, stored

from contrawarp_edge import Gallery, InputError, ModelInfo, Record
from contrawarp_edge.core.errors import DamagedError

MakeImages = Callable[..., list[Path]]


@pytest.fixture
def work(
    tmp_path: Path,
    model: Path,
    make_images: MakeImages,
    monkeypatch: pytest.MonkeyPatch,
) -> Path:
    """``work/g/a.gallery`` of ``work/g/faces`` and ``work/pics``, embedded from g."""
    root = tmp_path.resolve() / "work"
    (root / "g").mkdir(parents=True)
    make_images(3, folder="work/g/faces")
    make_images(2, folder="work/pics")
    monkeypatch.chdir(root / "g")
    shutil.copy(model, root / "g" / "model.onnx")
    done = run("embed", "model.onnx", "faces", "../pics", "--gallery", "a.gallery")
    assert done.exit_code == 0, done.output
    return root


def test_from_other_folders(work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gallery = work / "g" / "a.gallery"
    names = [f"faces/000{n}.png" for n in range(3)]
    others = [f"../pics/000{n}.png" for n in range(2)]
    assert stored(gallery) == names + others
    outside = [str(work / "pics" / f"000{n}.png") for n in range(2)]
    assert seen(gallery) == names + outside
    for folder in (work, work / "g", work / "g" / "faces", Path("/")):
        monkeypatch.chdir(folder)
        assert all_open(gallery)
        name = os.path.relpath(work / "g" / "faces" / "0001.png")
        with Gallery.open(os.path.relpath(gallery), readonly=True) as opened:
            for key in (name, str(work / "g/faces/0001.png"), 2):
                record = opened.get(key)
                assert record is not None
                assert record.id == 2
            assert opened.sha256_of(name) == sha(Path(name))
            assert opened.get("faces/none.png") is None
            assert opened.get("a\0b") is opened.get(os.fsdecode(b"\xff")) is None
            (hits,) = opened.search(record.embedding, k=5)
            assert sha(Path(hits[0].path)) == record.sha256
            monkeypatch.chdir(work)  # paths are those of the moment
            assert opened.get(2).path == "g/faces/0001.png"  # type: ignore[union-attr]
    command = ["embed", work / "g/model.onnx", "g/faces", "pics", "--gallery", gallery]
    assert "0 embedded, 5 unchanged, 0 skipped\n" in run(*command).stdout
    monkeypatch.chdir("/")
    assert run("search", gallery, work / "g/faces/0002.png", "-k", 1).exit_code == 0


def test_moved_with_its_images(work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = (work / "g" / "a.gallery").read_bytes()
    moved = work.rename(work.with_name("new"))
    monkeypatch.chdir("/")
    gallery = moved / "g" / "a.gallery"
    assert all_open(gallery)
    assert gallery.read_bytes() == before  # reading changes nothing
    page = moved / "hits.html"
    result = run("search", gallery, moved / "g/faces/0000.png", "--html", page)
    assert (result.exit_code, result.stderr) == (0, "")  # the model has moved too
    assert page.read_text().count("data:image/jpeg") == 6
    assert all_open(gallery, readonly=False)
    assert stored(gallery)[0] == "faces/0000.png"
    with Gallery.open(gallery, readonly=True) as opened:
        assert opened.paths.places.is_settled


def test_moved_alone(work: Path, tmp_path: Path, make_images: MakeImages) -> None:
    (tmp_path / "far").mkdir()
    gallery = (work / "g" / "a.gallery").rename(tmp_path / "far" / "b.gallery")
    assert all_open(gallery)
    assert all_open(gallery, readonly=False)
    assert stored(gallery)[0] == "../work/g/faces/0000.png"
    make_images(3, folder="far/faces", size=8)  # of the same names
    assert all_open(gallery)


def test_moved_with_some_of_its_images(work: Path) -> None:
    moved = (work / "g").rename(work / "deep")
    moved = moved.rename(work / "pics" / "deep")
    gallery = moved / "a.gallery"
    for readonly in (True, False):
        assert all_open(gallery, readonly=readonly)
    assert stored(gallery) == [f"faces/000{n}.png" for n in range(3)] + [
        f"../000{n}.png" for n in range(2)
    ]


def test_moved_while_its_images_are_away(work: Path, tmp_path: Path) -> None:
    for name in ("g/faces", "pics"):
        (work / name).rename(tmp_path / Path(name).name)
    gallery = (work / "g" / "a.gallery").rename(tmp_path / "b.gallery")
    before = stored(gallery)
    (tmp_path / "faces").rename(tmp_path / "hidden")
    with Gallery.open(gallery) as opened:
        assert not opened.paths.places.is_settled
        opened.add([Record(str(work / "x.png"), "x", np.ones(opened.info.dim))])
    assert stored(gallery) == [*before, str(work / "x.png")]
    (tmp_path / "hidden").rename(tmp_path / "faces")
    with Gallery.open(gallery) as opened:
        assert opened.paths.places.is_settled
    assert stored(gallery)[:3] == before[:3]
    assert stored(gallery)[5] == "work/x.png"


def test_a_link_to_the_gallery(work: Path, tmp_path: Path) -> None:
    link = tmp_path / "link.gallery"
    link.symlink_to(work / "g" / "a.gallery")
    assert all_open(link, readonly=False)
    assert stored(link)[0] == "faces/0000.png"


def test_below_a_folder(work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gallery = work / "g" / "a.gallery"
    far = [Record("/far/p/a.png", "f", np.ones(8)), Record("/faraway", "f", np.ones(8))]
    with Gallery.open(gallery) as opened:
        opened.add(far)

    def ids(folder: str) -> list[int]:
        with Gallery.open(gallery, readonly=True) as opened:
            return sorted(id for id, _, _ in opened.iter_paths(folder))

    assert ids(".") == ids("faces") == ids("faces/") == ids("../g") == [1, 2, 3]
    assert ids("..") == [1, 2, 3, 4, 5]
    assert ids("../pics") == ids(str(work / "pics")) == [4, 5]
    assert ids("/") == list(range(1, 8))
    assert ids("/far") == ids("/far/p/") == [6]
    assert ids("fac") == ids("faces/0000.png") == []
    monkeypatch.chdir(work / "pics")
    assert ids(".") == [4, 5]


def test_names_that_cannot_be_stored(info: ModelInfo, tmp_path: Path) -> None:
    with (
        Gallery.create(tmp_path / "a.gallery", info) as gallery,
        pytest.raises(InputError, match="not valid UTF-8"),
    ):
        gallery.add([Record(os.fsdecode(b"\xff.png"), "", np.ones(info.dim))])


def test_what_is_missing(work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gallery = work / "g" / "a.gallery"
    monkeypatch.chdir(work)
    for name in ("g/faces/0001.png", "pics/0000.png"):
        (work / name).unlink()
    line = "2 of 5 originals cannot be found, such as g/faces/0001.png\n"
    for command in (
        ["search", gallery, "--id", 1],
        ["dedupe", gallery],
        ["cluster", gallery, "-k", 2],
        ["map", gallery, "--html", work / "map.html"],
        ["info", gallery],
    ):
        result = run(*command)
        assert result.exit_code == 0
        assert result.stderr.splitlines(keepends=True)[0] == line


def test_a_large_gallery_is_sampled(info: ModelInfo, tmp_path: Path) -> None:
    with Gallery.create(tmp_path / "a.gallery", info) as gallery:
        some = [Record(f"/p/{n}", "", np.ones(info.dim)) for n in range(1000)]
        gallery.add(some)
        gallery.delete(range(100, 300))
        missing = gallery.paths.missing(most=50)
    assert missing.missing == missing.looked_at
    assert 35 <= missing.looked_at <= 50
    assert str(missing).startswith(
        f"{missing.missing} of {missing.looked_at} originals"
    )
    assert "originals looked at cannot be found, such as /p/" in str(missing)


@pytest.mark.parametrize("name", ["b.png", "b.mp4#t=0.000"])
def test_a_damaged_twin_is_named(info: ModelInfo, tmp_path: Path, name: str) -> None:
    path = tmp_path / "a.gallery"
    with Gallery.create(path, info) as gallery:
        gallery.add([Record("a.png", "f" * 64, np.ones(info.dim))])
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE images SET path = CAST(x'f561' AS TEXT)")
    with (
        Gallery.open(path, readonly=True) as gallery,
        pytest.raises(DamagedError, match="image 1 "),
    ):
        gallery.paths.twins(tmp_path / name, "f" * 64)
