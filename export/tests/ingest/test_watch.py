from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from contrawarp_edge import Embedder, Gallery
from contrawarp_edge.core.errors import MovedError
from contrawarp_edge.ingest.watch import Watcher
from contrawarp_edge.inputs.sources import Sources

MakeImages = Callable[..., list[Path]]


@pytest.fixture
def watcher(model: Path, tmp_path: Path, make_images: MakeImages) -> Watcher:
    make_images(3)
    make_images(2, folder="more")
    folders = [tmp_path / "faces", tmp_path / "more"]
    return Watcher(tmp_path / "a.gallery", Embedder(model), Sources(folders))


def counts(watcher: Watcher) -> tuple[int, int, int, int]:
    outcome, pruned = watcher.poll()
    new = outcome.embedded + outcome.copied
    return new, outcome.unchanged, len(outcome.failed), len(pruned.gone)


def images(watcher: Watcher) -> int:
    with Gallery.open(watcher.gallery, readonly=True) as gallery:
        return len(gallery)


def test_waits_until_files_rest(watcher: Watcher, tmp_path: Path) -> None:
    assert counts(watcher) == (0, 0, 0, 0)
    assert counts(watcher) == (5, 0, 0, 0)
    assert counts(watcher) == (0, 0, 0, 0)
    whole = (tmp_path / "faces" / "0000.png").read_bytes()
    growing = tmp_path / "faces" / "growing.png"
    for length in (10, 200, len(whole)):
        growing.write_bytes(whole[:length])
        assert counts(watcher) == (0, 0, 0, 0)
    assert counts(watcher) == (1, 0, 0, 0)
    os.utime(growing, ns=(1, 1))  # touched: read again, but the same
    assert counts(watcher) == (0, 0, 0, 0)
    assert counts(watcher) == (0, 1, 0, 0)


def test_counts_files_of_other_kinds(watcher: Watcher, tmp_path: Path) -> None:
    for name in ("faces/a.JXL", "more/b.jxl"):
        (tmp_path / name).touch()
    for _ in range(2):
        watcher.poll()
        assert watcher.others == {".jxl": 2}
    (tmp_path / "more" / "b.jxl").unlink()
    watcher.poll()
    assert watcher.others == {".jxl": 1}


def test_bad_files_are_tried_once_for_each_change(
    watcher: Watcher, tmp_path: Path
) -> None:
    bad = tmp_path / "faces" / "bad.png"
    bad.write_bytes(b"bad")
    watcher.poll()
    assert counts(watcher) == (5, 0, 1, 0)
    assert counts(watcher) == (0, 0, 0, 0)
    bad.write_bytes((tmp_path / "faces" / "0000.png").read_bytes())
    watcher.poll()
    assert counts(watcher) == (1, 0, 0, 0)


def test_what_vanished_before_it_began(
    watcher: Watcher, tmp_path: Path, model: Path
) -> None:
    watcher.poll()
    watcher.poll()
    (tmp_path / "faces" / "0001.png").unlink()
    again = Watcher(watcher.gallery, watcher.embedder, watcher.sources)
    assert counts(again) == (0, 0, 0, 0)  # it may have been moved
    assert counts(again) == (0, 4, 0, 1)
    assert images(again) == 4


@pytest.mark.parametrize("kind", ["missing", "empty"])
def test_a_disk_that_is_away(watcher: Watcher, tmp_path: Path, kind: str) -> None:
    watcher.poll()
    watcher.poll()
    folder, away = tmp_path / "faces", tmp_path / "away"
    folder.rename(away)
    if kind == "empty":
        folder.mkdir()
    (tmp_path / "more" / "0000.png").unlink()
    assert counts(watcher) == (0, 0, 0, 1)  # only that of the folder which is there
    assert images(watcher) == 4
    if kind == "empty":
        folder.rmdir()
    away.rename(folder)
    assert counts(watcher) == (0, 0, 0, 0)
    assert counts(watcher) == (0, 3, 0, 0)
    assert images(watcher) == 4


@pytest.mark.parametrize("is_replaced", [False, True])
def test_a_gallery_that_is_moved_away(
    model: Path,
    tmp_path: Path,
    make_images: MakeImages,
    is_replaced: bool,
) -> None:
    """Another gallery is not made of what is new alone."""
    make_images(3)
    path, moved = tmp_path / "a.gallery", tmp_path / "b.gallery"
    watcher = Watcher(path, Embedder(model), Sources([tmp_path / "faces"]))
    for _ in range(3):
        watcher.poll()
    path.rename(moved)
    if is_replaced:
        Gallery.create(path, watcher.embedder.info).close()
    with pytest.raises(MovedError, match=r"a\.gallery: was moved"):
        watcher.poll()
    with pytest.raises(MovedError):
        watcher.run(0, lambda outcome, deleted: None, lambda problem: None)
    assert path.exists() == is_replaced
    with Gallery.open(moved) as gallery:
        assert len(gallery) == 3


def test_what_was_unreadable_for_a_moment(
    watcher: Watcher, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    locked = tmp_path / "faces" / "0001.png"
    is_locked = True
    opened = Path.open

    def failing(path: Path, *arguments: Any, **options: Any) -> Any:
        if path == locked and is_locked:
            raise PermissionError(errno.EACCES, "Permission denied")
        return opened(path, *arguments, **options)

    monkeypatch.setattr(Path, "open", failing)
    watcher.poll()
    assert counts(watcher) == (4, 0, 1, 0)
    tries = [counts(watcher) for _ in range(16)]
    assert set(tries) == {(0, 0, 1, 0), (0, 0, 0, 0)}
    tried = [number for number, found in enumerate(tries, start=1) if found[2]]
    assert tried == [1, 3, 7, 15]  # ever more seldom
    is_locked = False  # its time and size are as before
    assert (1, 0, 0, 0) in [counts(watcher) for _ in range(16)]
    assert images(watcher) == 5
    assert {counts(watcher) for _ in range(40)} == {(0, 0, 0, 0)}


def test_what_moved_while_more_appears(watcher: Watcher, tmp_path: Path) -> None:
    """What was moved in several polls is not forgotten between two of them."""
    watcher.poll()
    watcher.poll()
    with Gallery.open(watcher.gallery, readonly=True) as gallery:
        before = {record.id: record.sha256 for record in gallery.iter_records()}
    paths = sorted((tmp_path / "faces").iterdir())
    deleted = 0
    for path in paths:
        path.rename(tmp_path / "more" / f"moved-{path.name}")
        deleted += counts(watcher)[3]
    for _ in range(3):
        deleted += counts(watcher)[3]
    assert deleted == 0
    with Gallery.open(watcher.gallery, readonly=True) as gallery:
        assert {r.id: r.sha256 for r in gallery.iter_records()} == before


def test_what_cannot_be_looked_at_stays(
    watcher: Watcher, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    watcher.poll()
    watcher.poll()
    closed = tmp_path / "faces" / "closed"
    closed.mkdir()
    (tmp_path / "faces" / "0001.png").rename(closed / "a.png")
    for _ in range(2):
        watcher.poll()
    lstat = os.lstat
    is_closed = True

    def failing(path: str) -> os.stat_result:
        if is_closed and "closed" in str(path):
            raise PermissionError(errno.EACCES, "Permission denied", path)
        return lstat(path)

    monkeypatch.setattr(os, "lstat", failing)
    (closed / "a.png").rename(tmp_path / "a.png")  # as if it could not be listed
    _, pruned = watcher.poll()
    assert (pruned.gone, pruned.unsure.total()) == ([], 1)
    assert images(watcher) == 5
    is_closed = False
    (closed / "b.png").write_bytes(b"bad")
    assert counts(watcher) == (0, 0, 0, 0)
    assert counts(watcher) == (0, 0, 1, 1)  # looked at again, since files appeared
