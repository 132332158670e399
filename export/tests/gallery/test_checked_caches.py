"""Damaged caches of a gallery: noticed, never believed, and made anew."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from commands import run
from small_galleries import QUERY, READS, opened, records

from contrawarp_edge import Gallery, ModelInfo, Record
from contrawarp_edge.core.checksums import block_sums, file_checksum
from contrawarp_edge.gallery.ann import ann_index, index_file
from contrawarp_edge.gallery.embeddings import matrix
from contrawarp_edge.gallery.embeddings.snapshot import snapshot_path


@pytest.fixture
def copied(path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A gallery with a snapshot of its embeddings."""
    monkeypatch.setattr(matrix, "MIN_SNAPSHOT_ROWS", 50)
    opened(path, READS["search"])
    assert snapshot_path(path).exists()
    return path


def test_no_bit_of_the_snapshot_can_change(copied: Path) -> None:
    whole = snapshot_path(copied).read_bytes()
    truth = opened(copied, READS["search"])
    vectors = opened(copied, lambda gallery: gallery.matrix().take(np.arange(1, 61)))
    rng = np.random.default_rng(0)
    places = [*rng.integers(0, 400, 4), *rng.integers(4096, len(whole), 12)]
    for place in places:
        data = bytearray(whole)
        data[place] ^= 1 << rng.integers(8)
        for read in ("matrix", "search"):
            snapshot_path(copied).write_bytes(data)
            if read == "search":
                assert opened(copied, READS["search"]) == truth, place
            else:
                found = opened(
                    copied, lambda gallery: gallery.matrix().take(np.arange(1, 61))
                )
                np.testing.assert_array_equal(found, vectors)
        assert run("check", copied).exit_code == 0, place  # it was made anew


@pytest.mark.parametrize("command", ["dedupe", "cluster", "map", "check"])
def test_commands_on_a_damaged_snapshot(copied: Path, command: str) -> None:
    page = copied.with_name("map.html")
    arguments = [command, copied, *(["--html", page] if command == "map" else [])]
    truth = run(*arguments).stdout, page.exists() and page.read_bytes()
    data = bytearray(snapshot_path(copied).read_bytes())
    data[-100:-60] = bytes(40)
    snapshot_path(copied).write_bytes(data)
    result = run(*arguments)
    if command == "check":
        assert result.exit_code == 3
        assert f"{snapshot_path(copied)}: damaged" in result.stdout
        assert "only a copy" in result.stdout
    else:
        assert (result.stdout, page.exists() and page.read_bytes()) == truth
        assert snapshot_path(copied).read_bytes() != data


def test_only_what_is_read_is_summed(tmp_path: Path, info: ModelInfo) -> None:
    path = tmp_path / "wide.gallery"
    vectors = np.random.default_rng(0).normal(size=(70, 4096)).astype(np.float32)
    with Gallery.create(path, replace(info, dim=4096)) as gallery:
        gallery.add(Record(str(row), "", vector) for row, vector in enumerate(vectors))
    with pytest.MonkeyPatch.context() as patch, Gallery.open(path) as gallery:
        patch.setattr(matrix, "MIN_SNAPSHOT_ROWS", 50)
        found = gallery.matrix()
        assert found.base.checked.all()
    with pytest.MonkeyPatch.context() as patch, Gallery.open(path) as gallery:
        patch.setattr(matrix, "MIN_SNAPSHOT_ROWS", 50)
        with closing(sqlite3.connect(path)) as connection:
            found = matrix.Matrix.empty(path, 4096).refreshed(connection)
        found.take(np.array([1, 2, 70]))
        assert np.flatnonzero(found.base.checked).tolist() == [0, 17]


def test_sums_are_those_of_numpy(tmp_path: Path) -> None:
    words = np.random.default_rng(0).integers(0, 2**63, 100).astype(np.uint64) * 2 + 1
    expected = [sum(map(int, words[at : at + 30])) % 2**64 for at in (0, 30, 60, 90)]
    assert block_sums(words, 30).tolist() == expected
    file = tmp_path / "file"
    content = bytearray(np.random.default_rng(1).bytes(70_003))
    seen = set()
    for place in (None, 0, 65_536, 70_001, 70_002):
        data = bytearray(content)
        if place is not None:
            data[place] ^= 4
        file.write_bytes(data)
        seen.add(file_checksum(file))
    assert len(seen) == 5
    file.write_bytes(b"")
    assert file_checksum(file) == 0


@pytest.mark.parametrize("part", ["index", "facts"])
def test_no_bit_of_the_index_can_change(
    tmp_path: Path, info: ModelInfo, part: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("faiss")
    from contrawarp_edge.gallery.ann.build import build
    from contrawarp_edge.gallery.ann.state import read_state

    monkeypatch.setattr(ann_index, "MIN_ROWS", 200)
    path = tmp_path / "a.gallery"
    with Gallery.create(path, info) as gallery:
        gallery.add(records(300))
    facts = build(path, lists=4)
    (truth,) = opened(path, lambda gallery: gallery.search(QUERY, exact=True))
    file = (
        index_file.facts_path(path) if part == "facts" else path.with_name(facts.file)
    )
    whole = file.read_bytes()
    rng = np.random.default_rng(0)
    for place in rng.integers(0, len(whole), 10):
        data = bytearray(whole)
        data[place] ^= 1 << rng.integers(7)
        file.write_bytes(data)
        with Gallery.open(path, readonly=True) as gallery:
            found = gallery.search(QUERY)
            if found.recall is None:
                assert found[0] == truth
                assert read_state(path).is_needed
                assert run("check", path).exit_code == 3
            else:  # a space of the facts was changed
                assert (part, read_state(path).facts) == ("facts", facts)
    file.write_bytes(whole)
    assert run("check", path).exit_code == 0
