"""Galleries that are moved, removed or replaced while they are open."""

from __future__ import annotations

import os
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from killed_writers import integrity, kill_a_writer, paths, records

from contrawarp_edge import Gallery, InputError, ModelInfo
from contrawarp_edge.core.errors import MovedError
from contrawarp_edge.gallery import searcher
from contrawarp_edge.gallery.store import gallery_file


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "faces.gallery"


def test_a_writer_whose_file_is_gone(
    path: Path, tmp_path: Path, info: ModelInfo
) -> None:
    moved = tmp_path / "moved.gallery"

    def write_on() -> None:
        with Gallery.create(path, info) as gallery:
            gallery.add(records("old", 40))
            path.rename(moved)
            with pytest.raises(MovedError):
                gallery.add(records("more", 1))
            with pytest.raises(MovedError):
                gallery.delete([1])
            with pytest.raises(MovedError):
                len(gallery)
            with Gallery.create(path, info) as new:  # another one under its name
                new.add(records("new", 5))
                with pytest.raises(MovedError):
                    gallery.add(records("more", 1))

    with pytest.raises(MovedError, match=r"faces\.gallery: was moved"):
        write_on()
    assert paths(moved) == {"old"}
    assert paths(path) == {"new"}
    assert sorted(os.listdir(tmp_path)) == ["faces.gallery", "moved.gallery"]
    assert integrity(moved) == integrity(path) == "ok"


def test_a_file_that_is_gone_is_noticed_at_the_end(path: Path, info: ModelInfo) -> None:
    def write(error: Exception | None) -> None:
        with Gallery.create(path, info) as gallery:
            gallery.add(records("old", 40))
            path.unlink()
            if error:
                raise error

    with pytest.raises(MovedError, match="removed"):
        write(None)
    assert os.listdir(path.parent) == []
    with pytest.raises(ZeroDivisionError):  # is what the user has to hear of
        write(ZeroDivisionError())


def test_a_file_that_is_replaced_in_the_middle_of_a_search(
    path: Path, info: ModelInfo, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = [path, path.with_name("b.gallery"), path.with_name("c.gallery")]
    for file in files:
        with Gallery.create(file, info) as gallery:
            gallery.add(records(file.stem, 3))
    with Gallery.open(path, readonly=True) as reader:
        files[1].replace(path)
        really = searcher.Searcher._rows_of

        def rows_of(*args: Any) -> Any:
            found = really(*args)
            files[2].replace(path)
            return found

        monkeypatch.setattr(searcher.Searcher, "_rows_of", rows_of)
        (hits,) = reader.search(np.ones(info.dim))
    assert {Path(hit.path).parent.name for hit in hits} == {"b"}


def test_readers_follow_the_path(path: Path, tmp_path: Path, info: ModelInfo) -> None:
    other = tmp_path / "other.gallery"
    for file, names in ((path, ["a", "b"]), (other, ["c", "d"])):
        with Gallery.create(file, info) as gallery:
            for name in names:
                gallery.add(records(name, 3))
    with Gallery.open(path, readonly=True) as reader:
        query = records("a", 1)[0].embedding
        (before,) = reader.search(query, 10)
        assert {hit.path[0] for hit in before} == {"a", "b"}
        other.replace(path)
        (after,) = reader.search(query, 10)  # though it is at the same revision
        assert {hit.path[0] for hit in after} == {"c", "d"}
        path.unlink()
        with pytest.raises(InputError, match="no such gallery"):
            reader.search(query, 10)


def test_two_that_create(path: Path, info: ModelInfo) -> None:
    """One of those that start at once wins, and what it wrote stays."""
    kill_a_writer(path)
    path.unlink()
    code = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "from conftest import model_info\n"
        "from killed_writers import records\n"
        "from contrawarp_edge import Gallery, InputError\n"
        "input()\n"
        "try: gallery = Gallery.create(sys.argv[2], model_info())\n"
        "except InputError: sys.exit(2)\n"
        "with gallery: gallery.add(records(sys.argv[3], 7))\n"
    )
    processes = [
        subprocess.Popen(
            [
                sys.executable,
                "-c",
                code,
                str(Path(__file__).parents[2]),
                str(path),
                name,
            ],
            stdin=subprocess.PIPE,
        )
        for name in "abc"
    ]
    for process in processes:
        assert process.stdin is not None
        process.stdin.write(b"\n")
        process.stdin.close()
    codes = [process.wait() for process in processes]
    assert sorted(codes) == [0, 2, 2]
    assert paths(path) == {"abc"[codes.index(0)]}
    assert os.listdir(path.parent) == [path.name]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows needs no such lock")
def test_other_programs_may_lock_the_folder(
    path: Path, info: ModelInfo, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As ``flock FOLDER contrawarp-edge embed ...`` does."""
    import fcntl

    at_once = partial(gallery_file.locked_folder, seconds=0.05)
    monkeypatch.setattr(gallery_file, "locked_folder", at_once)
    kill_a_writer(path)
    path.unlink()
    descriptor = os.open(path.parent, os.O_RDONLY)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    with Gallery.create(path, info) as gallery:
        gallery.add(records("new", 5))
    assert paths(path) == {"new"}
    os.close(descriptor)
