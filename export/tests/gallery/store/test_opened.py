from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from contrawarp_edge import Gallery, InputError, ModelInfo, Record
from contrawarp_edge.core.errors import MovedError, StorageError
from contrawarp_edge.gallery.store import gallery_file
from contrawarp_edge.gallery.store.opened import OpenedFile
from contrawarp_edge.gallery.store.statements import count


def records(name: str, count: int) -> list[Record]:
    rng = np.random.default_rng(len(name))
    return [
        Record(f"{name}/{i}.png", "0" * 64, rng.normal(size=8).astype(np.float32))
        for i in range(count)
    ]


@pytest.fixture
def path(tmp_path: Path, info: ModelInfo) -> Path:
    path = tmp_path / "faces.gallery"
    with Gallery.create(path, info) as gallery:
        gallery.add(records("first", 20))
    return path


Refuse = Callable[[bool], None]


@pytest.fixture
def refuse(monkeypatch: pytest.MonkeyPatch) -> Refuse:
    """Behaves as where neither -wal nor -shm can be made."""
    really = gallery_file._open
    is_refusing = True

    def _open(path: Path, mode: str) -> object:
        if is_refusing and mode == "mode=rw":
            raise sqlite3.OperationalError("unable to open database file")
        return really(path, mode)

    monkeypatch.setattr(gallery_file, "_open", _open)

    def switch(on: bool) -> None:
        nonlocal is_refusing
        is_refusing = on

    return switch


def add(path: Path, name: str, count: int, refuse: Refuse) -> None:
    refuse(False)
    with Gallery.open(path) as gallery:
        gallery.add(records(name, count))
    refuse(True)


def test_readers_that_see_no_log_see_changes(path: Path, refuse: Refuse) -> None:
    with Gallery.open(path, readonly=True) as reader:
        (wanted,) = records("other name", 1)
        assert len(reader) == 20
        reader.search(wanted.embedding)
        add(path, "other name", 200, refuse)
        assert len(reader) == 220
        (hits,) = reader.search(wanted.embedding, 1)
        assert hits[0].path == wanted.path
        refuse(False)
        with Gallery.open(path) as gallery:
            gallery.delete([hits[0].id])
            refuse(True)
            with pytest.raises(InputError, match="unable to open"):
                reader.search(wanted.embedding, 1)  # rather than what may be half
            refuse(False)
            (hits,) = reader.search(wanted.embedding, 1)  # now with its log
            assert hits[0].path != wanted.path
        refuse(True)
        assert len(reader) == 219
    assert os.listdir(path.parent) == [path.name]


def test_what_changed_while_it_was_read_is_read_again(
    path: Path, refuse: Refuse
) -> None:
    file = OpenedFile(path, readonly=True)
    seen = []

    def work(connection: sqlite3.Connection) -> int:
        seen.append(count(connection))
        if len(seen) == 1:
            add(path, "more", 30, refuse)
        if len(seen) == 2:
            add(path, "still more", 30, refuse)
            raise sqlite3.DatabaseError("database disk image is malformed")
        return seen[-1]

    assert file.read(work) == 80
    assert len(seen) == 3

    def work_on(connection: sqlite3.Connection) -> None:
        os.utime(path)

    with pytest.raises(InputError, match="keeps changing"):
        file.read(work_on)
    with pytest.raises(InputError, match="malformed"):
        file.read(lambda connection: fail())
    file.close()


def fail() -> None:
    raise sqlite3.DatabaseError("database disk image is malformed")


@pytest.mark.parametrize("is_same_gallery", [True, False])
def test_a_file_that_is_copied_over(
    path: Path, tmp_path: Path, info: ModelInfo, refuse: Refuse, is_same_gallery: bool
) -> None:
    """What was kept for quicker searches is of no use for another gallery."""
    other = tmp_path / "other.gallery"
    refuse(False)
    if is_same_gallery:
        shutil.copy(path, other)
        with Gallery.open(other) as gallery:
            gallery.delete(range(1, 21))
            gallery.add(records("second", 20))
    else:
        with Gallery.create(other, info) as gallery:
            gallery.add(records("second", 20))
    refuse(True)
    query = np.ones(8, np.float32)
    with Gallery.open(path, readonly=True) as reader:
        assert {hit.path[0] for hit in reader.search(query)[0]} == {"f"}
        shutil.copy(other, path)
        assert {hit.path[0] for hit in reader.search(query)[0]} == {"s"}


def test_a_gallery_of_another_model(
    path: Path, tmp_path: Path, info: ModelInfo, refuse: Refuse
) -> None:
    refuse(False)
    other = replace(info, fingerprint="0" * 64)
    Gallery.create(tmp_path / "other.gallery", other).close()
    with Gallery.open(path, readonly=True) as reader:
        (tmp_path / "other.gallery").replace(path)
        with pytest.raises(InputError, match="gallery of another model"):
            len(reader)


def test_an_empty_log_keeps_nobody_out(path: Path, refuse: Refuse) -> None:
    """As a reader leaves it on a full disk."""
    Path(f"{path}-wal").touch()
    with Gallery.open(path, readonly=True) as reader:
        assert len(reader) == 20
    with pytest.raises(InputError, match="unable to open"):
        Gallery.open(path)
    refuse(False)
    with Gallery.open(path) as gallery:
        assert len(gallery) == 20
    assert os.listdir(path.parent) == [path.name]


# Run with mounts of their own.
FULL_DISK = """
set -e
mount -t tmpfs -o size=1m tmpfs "$1"
cp "$2" "$1/g"
dd if=/dev/zero of="$1/fill" bs=4096 2>/dev/null || true
for i in 1 2; do "$3" -c "$4" "$1/g"; done
"""
READONLY_MOUNT = """
set -e
cp "$2" "$1/../g"
mount --bind "$1/.." "$1"
mount -o remount,ro,bind "$1"
"$3" -c "$4" "$1/g" "$1/../g"
"""
# Counts rows, and again after another process has added some on another way.
COUNT = """
import subprocess, sys
import numpy as np
from contrawarp_edge import Gallery, Record
units = np.eye(8, dtype="f4")
if sys.argv[1] == "write":
    for line in sys.stdin:
        if line == "open\\n":
            gallery = Gallery.open(sys.argv[2])
        elif line == "close\\n":
            gallery.close()
        else:
            number = int(line)
            gallery.add([Record(f"new/{number}", "0" * 64, units[number % 8])])
        print("done", flush=True)
    sys.exit()
with Gallery.open(sys.argv[1], readonly=True) as gallery:
    assert len(gallery) == 20
    if len(sys.argv) > 2:
        writer = subprocess.Popen(
            [sys.executable, "-c", sys.orig_argv[2], "write", sys.argv[2]],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )
        def do(what):
            print(what, file=writer.stdin, flush=True)
            assert writer.stdout.readline() == "done\\n"
        for number in range(12):
            if number % 4 == 0:
                do("open")
            do(number)
            (hits,) = gallery.search(units[number % 8], 40)
            assert f"new/{number}" in {hit.path for hit in hits if hit.score > 0.9999}
            if number % 4 == 3:
                do("close")
            assert len(gallery) == 21 + number
        writer.stdin.close()
        assert writer.wait() == 0
"""


@pytest.mark.slow
@pytest.mark.parametrize("script", [FULL_DISK, READONLY_MOUNT])
def test_mounts(path: Path, tmp_path: Path, script: str) -> None:
    folder = tmp_path / "other" / "mount"
    folder.mkdir(parents=True)
    own = ["unshare", "--mount", "--map-root-user"]
    mount = ["mount", "-t", "tmpfs", "tmpfs", str(folder)]
    if (
        not shutil.which("unshare")
        or subprocess.run([*own, *mount], check=False, capture_output=True).returncode
    ):
        pytest.skip("nothing can be mounted")
    arguments = [str(folder), str(path), sys.executable, COUNT]
    done = subprocess.run(
        [*own, "sh", "-c", script, "sh", *arguments],
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr


def test_a_folder_that_may_not_be_entered(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*arguments: object, **options: object) -> os.stat_result:
        raise PermissionError(13, "Permission denied")

    with Gallery.open(path, readonly=True) as reader:
        monkeypatch.setattr(os, "stat", refused)
        with pytest.raises(MovedError, match=r"faces\.gallery: .*Permission denied"):
            len(reader)
        with pytest.raises(StorageError, match=r"faces\.gallery: .*Permission denied"):
            Gallery.open(path)
        monkeypatch.undo()
        assert len(reader) == 20
