from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pytest

from contrawarp_edge import Gallery, InputError, ModelInfo, Record
from contrawarp_edge.core.errors import MovedError
from contrawarp_edge.core.sqlite import write_ahead
from contrawarp_edge.gallery.store import gallery_file


def records(name: str, count: int) -> list[Record]:
    rng = np.random.default_rng(len(name))
    return [
        Record(f"{name}/{i}.png", "0" * 64, rng.normal(size=8).astype(np.float32))
        for i in range(count)
    ]


def paths(gallery: Path, *, readonly: bool = False) -> set[str]:
    with Gallery.open(gallery, readonly=readonly) as opened:
        return {path.partition("/")[0] for _, path, _ in opened.iter_paths()}


def integrity(gallery: Path) -> str:
    with closing(sqlite3.connect(gallery)) as connection:
        return str(connection.execute("PRAGMA integrity_check").fetchone()[0])


# Dies as after kill -9, with a transaction in the log that is, or is not, in the file.
KILLED = """
import os, sys
sys.path.insert(0, {tests!r})
from conftest import model_info
from test_write_ahead import records
from contrawarp_edge import Gallery
path, before, batches, is_copied = sys.argv[1], *map(int, sys.argv[2:])
gallery = Gallery.open(path) if before else Gallery.create(path, model_info())
gallery._file.connection.execute(f"PRAGMA wal_autocheckpoint = {{is_copied}}")
for batch in range(batches):
    gallery.add(records(f"old{{batch}}", 40))
os._exit(9)
"""


def kill_a_writer(
    path: Path, *, before: bool = False, batches: int = 3, is_copied: bool = True
) -> None:
    code = KILLED.format(tests=str(Path(__file__).parents[2]))
    arguments = [str(path), *(str(int(x)) for x in (before, batches, is_copied))]
    process = subprocess.run([sys.executable, "-c", code, *arguments], check=False)
    assert process.returncode == 9
    assert Path(f"{path}-wal").stat().st_size > 0


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "faces.gallery"


@pytest.mark.parametrize("is_copied", [True, False])
def test_a_new_gallery_takes_up_no_log(
    path: Path, info: ModelInfo, is_copied: bool
) -> None:
    kill_a_writer(path, is_copied=is_copied)
    path.unlink()
    with Gallery.create(path, info) as gallery:
        assert len(gallery) == 0
        gallery.add(records("new", 5))
    assert paths(path) == {"new"}
    assert integrity(path) == "ok"


def replace_by_other(path: Path, other: Path) -> None:
    other.replace(path)


def copy_over(path: Path, other: Path) -> None:
    shutil.copyfile(other, path)


@pytest.mark.parametrize("replaced", [replace_by_other, copy_over])
@pytest.mark.parametrize("is_copied", [True, False])
@pytest.mark.parametrize("readonly", [True, False])
def test_another_gallery_takes_up_no_log(
    path: Path,
    tmp_path: Path,
    info: ModelInfo,
    replaced: Callable[[Path, Path], None],
    is_copied: bool,
    readonly: bool,
) -> None:
    other = tmp_path / "other.gallery"
    with Gallery.create(other, info) as gallery:
        gallery.add(records("other", 50))
    kill_a_writer(path, is_copied=is_copied)
    replaced(path, other)
    assert paths(path, readonly=readonly) == {"other"}
    assert paths(path) == {"other"}
    assert integrity(path) == "ok"


@pytest.mark.parametrize("is_copied", [True, False])
def test_a_backup_takes_up_no_later_log(
    path: Path, tmp_path: Path, info: ModelInfo, is_copied: bool
) -> None:
    with Gallery.create(path, info) as gallery:
        gallery.add(records("first", 50))
    backup = shutil.copy(path, tmp_path / "backup")
    with Gallery.open(path) as gallery:
        gallery.add(records("second", 50))
    kill_a_writer(path, before=True, is_copied=is_copied)
    shutil.copy(backup, path)
    assert paths(path) == {"first"}
    assert integrity(path) == "ok"


@pytest.mark.parametrize("is_copied", [True, False])
def test_its_own_log_is_kept(path: Path, info: ModelInfo, is_copied: bool) -> None:
    with Gallery.create(path, info) as gallery:
        gallery.add(records("first", 50))
    kill_a_writer(path, before=True, is_copied=is_copied)
    assert not write_ahead.is_foreign(path)
    expected = {"first", "old0", "old1", "old2"}
    assert paths(path, readonly=True) == expected
    assert paths(path) == expected


def test_its_own_log_is_kept_after_half_a_copy(path: Path, info: ModelInfo) -> None:
    """A checkpoint that was cut short leaves a file between two states."""
    Gallery.create(path, info).close()
    kill_a_writer(path, before=True, batches=1)
    with closing(sqlite3.connect(path, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT * FROM meta").fetchone()
        kill_a_writer(path, before=True, batches=2, is_copied=True)
        reader.execute("ROLLBACK")
    assert not write_ahead.is_foreign(path)
    assert integrity(path) == "ok"
    assert paths(path) == {"old0", "old1"}


def test_a_log_of_other_programs_is_kept(path: Path, info: ModelInfo) -> None:
    with Gallery.create(path, info) as gallery:
        gallery.add(records("first", 5))
    program = (
        "import os, sqlite3, sys; c = sqlite3.connect(sys.argv[1]); "
        "c.execute('DELETE FROM images WHERE id > 3'); c.commit(); "
        "os._exit(9)"
    )
    subprocess.run([sys.executable, "-c", program, str(path)], check=False)
    assert Path(f"{path}-wal").stat().st_size > 0
    with Gallery.open(path) as gallery:
        assert [row.id for row in gallery.iter_records()] == [1, 2, 3]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"x",
        b"\0" * 100,
        np.random.default_rng(0).bytes(20_000),
        b"7\x7f\x06\x82" * 9000,
    ],
)
def test_damaged_logs(path: Path, info: ModelInfo, content: bytes) -> None:
    with Gallery.create(path, info) as gallery:
        gallery.add(records("first", 5))
    Path(f"{path}-wal").write_bytes(content)
    assert not write_ahead.is_foreign(path)  # SQLite takes up none of these
    assert paths(path) == {"first"}


def test_the_file_is_whole_without_its_log(
    path: Path, tmp_path: Path, info: ModelInfo
) -> None:
    with Gallery.create(path, info) as gallery, Gallery.open(path, readonly=True):
        for name in ("a", "b"):
            gallery.add(records(name, 40))
            copy = Path(shutil.copy(path, tmp_path / f"{name}.gallery"))
            assert name in paths(copy)
            assert integrity(copy) == "ok"


def test_a_writer_leaves_nothing_in_the_log(path: Path, info: ModelInfo) -> None:
    with Gallery.create(path, info):
        pass
    with Gallery.open(path, readonly=True) as reader:
        with Gallery.open(path) as gallery:
            gallery.add(records("a", 40))
        assert Path(f"{path}-wal").stat().st_size == 0
        assert len(reader) == 40
    assert os.listdir(path.parent) == [path.name]


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
        "from test_write_ahead import records\n"
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


def test_a_log_that_is_emptied_while_it_is_read(
    path: Path, info: ModelInfo, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its writer has just copied all of it into the gallery."""
    Gallery.create(path, info).close()
    kill_a_writer(path, before=True)
    log = write_ahead.log_path(path)
    headers = write_ahead._headers

    def emptied(file: BinaryIO) -> Iterator[tuple[int, int, int]]:
        yield from list(headers(file))
        os.truncate(log, 0)

    monkeypatch.setattr(write_ahead, "_headers", emptied)
    assert not write_ahead.is_foreign(path)
