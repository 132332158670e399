"""What is deleted goes in the end, though it was kept from going at once."""

from __future__ import annotations

import os
import signal
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from erased import fill, left, records

from contrawarp_edge import Gallery, InputError, ModelInfo
from contrawarp_edge.core.errors import FullError
from contrawarp_edge.gallery import erase
from contrawarp_edge.gallery.embeddings import matrix
from contrawarp_edge.gallery.store import gallery_file
from contrawarp_edge.gallery.uploads import Uploads


@pytest.fixture(autouse=True)
def small_snapshots(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(matrix, "MIN_SNAPSHOT_ROWS", 50)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "faces.gallery"


def test_a_reader_that_stays_is_named(path: Path, info: ModelInfo) -> None:
    stored = records(60)
    fill(path, info, stored)
    reader, _ = gallery_file.connect(path, readonly=True)
    with Gallery.open(path) as gallery, closing(reader):
        gallery.add(records(1))  # only in the log, from which the reader reads
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM images").fetchone()
        gallery._file.connection.execute("PRAGMA busy_timeout = 0")
        with pytest.raises(InputError, match="another process reads the gallery"):
            gallery.delete([1])
        assert gallery.get(1) is None
        reader.execute("COMMIT")
        assert gallery.delete([]) == 0
    assert left(path.parent, stored[:1]) == []


def test_who_deletes_just_before_another_is_done(
    path: Path, info: ModelInfo, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored = records(60)
    fill(path, info, stored)
    done = erase._set_erased
    with Gallery.open(path) as first, Gallery.open(path) as second:

        def late(*arguments: Any) -> None:
            monkeypatch.setattr(erase, "_set_erased", done)
            with monkeypatch.context() as patch:
                patch.setattr(second, "_erase", lambda: None)  # comes to it later
                assert second.delete([8]) == 1
            done(*arguments)

        monkeypatch.setattr(erase, "_set_erased", late)
        first.delete([7])
        assert first._file.read(erase.pending) is not None
        second._erase()
        assert first._file.read(erase.pending) is None
    assert left(path.parent, stored[6:8]) == []


class _FullConnection:
    """One whose disk has no room for another copy of the gallery."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)

    def execute(self, statement: str, *values: object) -> sqlite3.Cursor:
        if statement == "VACUUM":
            raise sqlite3.OperationalError("database or disk is full")
        return self._connection.execute(statement, *values)


def test_a_full_disk_is_named(path: Path, info: ModelInfo) -> None:
    stored = records(60)
    fill(path, info, stored)
    with Gallery.open(path) as gallery:
        gallery._file.connection = _FullConnection(gallery._file.connection)  # type: ignore[assignment]
        with pytest.raises(FullError, match=r"not erased .* disk is full"):
            gallery.delete([7])
    Gallery.open(path).close()
    assert left(path.parent, stored[6:7]) == []


def kill_at(moment: str, path: Path) -> None:
    """Deletes image 7 in another process, which is killed instead of a call."""
    if (child := os.fork()) == 0:

        def end(*arguments: object, **options: object) -> None:
            os.kill(os.getpid(), signal.SIGKILL)

        with mock.patch(f"contrawarp_edge.gallery.{moment}", end):
            Gallery.open(path).delete([7])
        os._exit(0)
    assert os.waitpid(child, 0)[1] == signal.SIGKILL


@pytest.mark.skipif(os.name == "nt", reason="no fork")
@pytest.mark.parametrize(
    "moment",
    [
        "erase.set_pending",
        "erase.finish",
        "erase._sweep",
        "erase._empty_log",
        "erase._remove_snapshots",
        "erase.erase_deleted",
        "erase._set_erased",
    ],
)
def test_a_kill_at_any_moment(path: Path, info: ModelInfo, moment: str) -> None:
    stored = records(60)
    uploads = Uploads(path)
    picture = uploads.path(stored[6].sha256, "jpg")
    uploads.save(picture, b"picture of " + Path(stored[6].path).stem.encode())
    stored[6] = replace(stored[6], path=str(picture))
    fill(path, info, stored)
    kill_at(moment, path)
    with Gallery.open(path) as gallery:
        is_there = gallery.get(7) is not None
    assert is_there == picture.exists() == (moment == "erase.set_pending")
    if not is_there:
        assert left(path.parent, stored[6:7]) == []
