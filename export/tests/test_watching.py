from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from contrawarp_edge import Embedder, Gallery
from contrawarp_edge.inputs.sources import Sources
from contrawarp_edge.watching import Watcher

MakeImages = Callable[..., list[Path]]


@pytest.fixture
def watcher(model: Path, tmp_path: Path, make_images: MakeImages) -> Watcher:
    make_images(3)
    make_images(2, folder="more")
    folders = [tmp_path / "faces", tmp_path / "more"]
    return Watcher(tmp_path / "a.gallery", Embedder(model), Sources(folders))


def counts(watcher: Watcher) -> tuple[int, int, int, int]:
    outcome, pruned = watcher.poll()
    return (
        outcome.embedded,
        outcome.unchanged,
        len(outcome.failed),
        len(pruned.gone),
    )


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
