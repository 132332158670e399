"""Galleries that are opened from other folders, were moved, or are old."""

from __future__ import annotations

import hashlib
import os
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from old_galleries import write_version_2

from contrawarp_edge import Gallery, InputError, ModelInfo, Record
from contrawarp_edge.cli import main

MakeImages = Callable[..., list[Path]]


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(part) for part in arguments])


def sha(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def stored(gallery: Path) -> list[str]:
    """What is in the file, in the order of ids."""
    with closing(sqlite3.connect(gallery)) as connection:
        return [
            row[0] for row in connection.execute("SELECT path FROM images ORDER BY id")
        ]


def seen(gallery: Path, *, readonly: bool = True) -> list[str]:
    with Gallery.open(gallery, readonly=readonly) as opened:
        return [record.path for record in opened.iter_records()]


def all_open(gallery: Path, *, readonly: bool = True) -> bool:
    """Whether each path that is shown leads to the file with the hash in its row."""
    with Gallery.open(gallery, readonly=readonly) as opened:
        records = list(opened.iter_records())
    assert records
    return all(
        os.path.exists(record.path) and sha(Path(record.path)) == record.sha256
        for record in records
    )


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


# Galleries of version 2, whose paths are as they were typed.


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
    assert versions(old) == ("3", True)
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
    assert versions(old) == ("3", False)
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
    assert versions(old) == ("3", True)
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
