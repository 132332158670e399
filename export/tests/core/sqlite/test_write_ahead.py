"""A log is taken up by its own gallery only."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pytest
from killed_writers import integrity, kill_a_writer, paths, records

from contrawarp_edge import Gallery, ModelInfo
from contrawarp_edge.core.sqlite import write_ahead


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
