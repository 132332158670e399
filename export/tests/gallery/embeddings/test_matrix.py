"""The mapped snapshot beside a gallery: quick to open, and never believed wrongly."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from earlier_galleries import as_version

from contrawarp_edge import Gallery, ModelInfo, Record
from contrawarp_edge.gallery.embeddings import matrix, snapshot
from contrawarp_edge.gallery.embeddings.snapshot import snapshot_path

QUERY = np.random.default_rng(77).normal(size=8).astype(np.float32)


def records(count: int, start: int = 0, seed: int = 0) -> list[Record]:
    vectors = np.random.default_rng([seed, start]).normal(size=(count, 8))
    return [
        Record(f"{start + row}.png", "", vector.astype(np.float32), {"odd": row % 2})
        for row, vector in enumerate(vectors)
    ]


@pytest.fixture(autouse=True)
def _small_snapshots(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(matrix, "MIN_SNAPSHOT_ROWS", 50)


@pytest.fixture
def path(tmp_path: Path, info: ModelInfo) -> Path:
    path = tmp_path / "faces.gallery"
    with Gallery.create(path, info) as gallery:
        gallery.add(records(200))
        gallery.search(QUERY)
    return path


def from_scratch(path: Path, query: np.ndarray = QUERY) -> list[tuple[str, float]]:
    """What a search has to find, computed from the file by NumPy."""
    with Gallery.open(path, readonly=True) as gallery:
        ids = [id for id in range(1, 2000) if gallery.get(id)]
        rows = [row for id in ids if (row := gallery.get(id))]
    scores = np.stack([row.embedding for row in rows]).astype(float) @ query
    scores /= np.linalg.norm(query)
    order = np.argsort(-scores, kind="stable")[:10]
    return [(rows[row].path, pytest.approx(scores[row], abs=1e-6)) for row in order]


def searched(path: Path, query: np.ndarray = QUERY) -> list[tuple[str, float]]:
    with Gallery.open(path, readonly=True) as gallery:
        return [(hit.path, hit.score) for hit in gallery.search(query)[0]]


def mapped_rows(path: Path) -> int:
    with Gallery.open(path, readonly=True) as gallery:
        return len(gallery.matrix().base.ids)


def test_is_written_and_used(path: Path) -> None:
    assert snapshot_path(path).name == "faces.gallery-vectors"
    assert snapshot_path(path).stat().st_size == 4096 + 200 * (8 + 4 * 8) + 8
    assert mapped_rows(path) == 200
    assert searched(path) == from_scratch(path)


def test_small_galleries_need_none(tmp_path: Path, info: ModelInfo) -> None:
    with Gallery.create(tmp_path / "a", info) as gallery:
        gallery.add(records(49))
        gallery.search(QUERY)
    assert [file.name for file in tmp_path.iterdir()] == ["a"]


def test_few_changes_are_read_beside_it(path: Path) -> None:
    before = snapshot_path(path).read_bytes()
    with Gallery.open(path) as gallery:
        gallery.add(records(10, start=195, seed=1))  # five of them are known
        assert len(gallery.matrix().ids) == 10
    assert snapshot_path(path).read_bytes() == before
    assert searched(path) == from_scratch(path)
    with Gallery.open(path, readonly=True) as gallery:
        everything = gallery.matrix()
        assert len(everything) == len(gallery) == 205
        ids = everything.all_ids()
        wanted = [gallery.get(int(id)) for id in ids]
        stored = np.stack([row.embedding for row in wanted if row])
        np.testing.assert_array_equal(everything.take(ids), stored)
        some = np.array([1, 201, 206, 210, 999])  # 201 to 205 were never given
        assert everything.contains(some).tolist() == [1, 0, 1, 1, 0]
        parts = list(everything.blocks(37))
        np.testing.assert_array_equal(np.concatenate([p[0] for p in parts]), ids)
        np.testing.assert_array_equal(np.concatenate([p[1] for p in parts]), stored)


@pytest.mark.parametrize("change", ["add", "delete"])
def test_many_changes_write_a_new_one(path: Path, change: str) -> None:
    with Gallery.open(path) as gallery:
        if change == "add":
            gallery.add(records(100, start=200))
        else:
            gallery.delete(range(10, 90))
    assert mapped_rows(path) == 200 + (100 if change == "add" else -80)
    assert searched(path) == from_scratch(path)


def test_metadata_alone_changes_no_embedding(path: Path) -> None:
    with Gallery.open(path) as gallery:
        rows = [gallery.get(id) for id in range(1, 101)]
        gallery.add(replace(row, metadata={"new": 1}) for row in rows if row)
        assert len(gallery.matrix().ids) == 0
        assert gallery.get(5).metadata == {"new": 1}  # type: ignore[union-attr]
        assert gallery.get(5).added == rows[4].added  # type: ignore[union-attr]


def damage(path: Path, kind: str, tmp_path: Path, info: ModelInfo) -> None:
    file = snapshot_path(path)
    content = file.read_bytes()
    if kind == "deleted":
        file.unlink()
    elif kind == "truncated":
        file.write_bytes(content[:-5])
    elif kind == "empty":
        file.write_bytes(b"")
    elif kind == "longer":
        file.write_bytes(content + b"more")
    elif kind == "noise":
        file.write_bytes(np.random.default_rng(0).bytes(len(content)))
    elif kind == "header":
        file.write_bytes(content[:30] + b"\xff\xff\xff" + content[33:])
    elif kind == "folder":
        file.unlink()
        file.mkdir()
    elif kind == "ids":
        file.write_bytes(content[:4096] + content[4096:5696][::-1] + content[5696:])
    elif kind == "zeros":
        file.write_bytes(content[: 4096 + 1600] + bytes(len(content) - 5696))
    elif kind == "vectors":
        values = np.frombuffer(content[5696:], "<f4")[::-1]
        file.write_bytes(content[:5696] + values.tobytes())
    elif kind == "swapped":
        other = tmp_path / "other.gallery"
        with Gallery.create(other, info) as gallery:
            gallery.add(records(200, seed=5))
            gallery.search(QUERY)
        shutil.copy(snapshot_path(other), file)


DAMAGE = [
    *("deleted", "truncated", "empty", "longer", "noise", "header", "folder"),
    *("ids", "zeros", "vectors", "swapped"),
]


@pytest.mark.parametrize("kind", DAMAGE)
def test_damage_changes_no_result(
    path: Path, kind: str, tmp_path: Path, info: ModelInfo
) -> None:
    expected = from_scratch(path)
    damage(path, kind, tmp_path, info)
    assert searched(path) == expected
    assert searched(path) == expected
    assert mapped_rows(path) == (0 if kind == "folder" else 200)


def test_of_a_copy_that_went_another_way(path: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy.gallery"
    shutil.copy(path, copy)
    for one, seed in ((path, 1), (copy, 2)):  # as many transactions, other images
        with Gallery.open(one) as gallery:
            gallery.add(records(200, seed=seed))
            gallery.search(QUERY)
    shutil.copy(snapshot_path(copy), snapshot_path(path))
    assert searched(path) == from_scratch(path)


def test_of_an_older_backup(path: Path, tmp_path: Path) -> None:
    backup = tmp_path / "backup"
    shutil.copy(path, backup)
    with Gallery.open(path) as gallery:
        gallery.add(records(200, seed=1))
        gallery.search(QUERY)
    shutil.copy(backup, path)
    assert searched(path) == from_scratch(path)


def test_deleted_while_it_is_used(path: Path) -> None:
    expected = from_scratch(path)
    with Gallery.open(path, readonly=True) as gallery:
        gallery.search(QUERY)
        snapshot_path(path).unlink()
        assert [(hit.path, hit.score) for hit in gallery.search(QUERY)[0]] == expected


def test_no_room_for_it(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    snapshot_path(path).unlink()

    def full(file: object, connection: object, dim: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(snapshot, "_write", full)
    assert searched(path) == from_scratch(path)
    assert [file.name for file in path.parent.iterdir()] == [path.name]


@pytest.mark.skipif(os.name == "nt", reason="no such permissions")
def test_is_as_private_as_the_gallery(path: Path) -> None:
    snapshot_path(path).unlink()
    path.chmod(0o600)
    searched(path)
    assert snapshot_path(path).stat().st_mode & 0o777 == 0o600


READER = """
import sys, time
import numpy as np
from contrawarp_edge import Gallery
from contrawarp_edge.gallery.embeddings import matrix
matrix.MIN_SNAPSHOT_ROWS = 50
query = np.ones(8, np.float32)
seen, end = 0, time.monotonic() + 300
print("ready", flush=True)
while seen < 1200:
    assert time.monotonic() < end
    with Gallery.open(sys.argv[1], readonly=True) as gallery:
        for _ in range(3):
            (hits,) = gallery.search(query, k=2000)
            assert len(hits) % 20 == 0, len(hits)  # whole transactions only
            assert len(hits) >= seen
            assert len({hit.path for hit in hits}) == len(hits)
            seen = len(hits)
"""


def test_readers_and_one_writer(path: Path) -> None:
    readers = [
        subprocess.Popen([sys.executable, "-c", READER, path], stdout=subprocess.PIPE)
        for _ in range(3)
    ]
    for reader in readers:
        assert reader.stdout is not None
        reader.stdout.readline()
    with Gallery.open(path) as gallery:
        for start in range(200, 1200, 20):
            gallery.add(records(20, start=start))
            gallery.search(QUERY)
    for reader in readers:
        assert reader.wait(timeout=300) == 0
        assert reader.stdout is not None
        reader.stdout.close()
    assert searched(path) == from_scratch(path)
    left = sorted(file.name for file in path.parent.iterdir())
    assert left == ["faces.gallery", "faces.gallery-vectors"]


@pytest.mark.parametrize("version", [1, 2])
def test_gallery_of_an_earlier_version(path: Path, version: int) -> None:
    snapshot_path(path).unlink()
    expected = from_scratch(path)
    as_version(path, version)
    before = path.read_bytes()
    assert searched(path) == expected == from_scratch(path)  # by one who only reads
    assert path.read_bytes() == before
    with Gallery.open(path) as gallery:
        gallery.add(records(3, start=500))
    assert searched(path) == from_scratch(path)
    with Gallery.open(path, readonly=True) as gallery:
        assert len(gallery.matrix()) == 203
        assert len(list(gallery.iter_records())) == 203


def test_who_waits_for_another_takes_its_copy(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    snapshot_path(path).unlink()
    written = []
    write, draft_of = snapshot._write, snapshot.draft_of

    def counted(*arguments: object) -> None:
        written.append(arguments)
        write(*arguments)  # type: ignore[arg-type]

    def waited(target: Path) -> object:
        monkeypatch.setattr(snapshot, "draft_of", draft_of)
        assert searched(path) == from_scratch(path)  # is quicker
        return draft_of(target)

    monkeypatch.setattr(snapshot, "_write", counted)
    monkeypatch.setattr(snapshot, "draft_of", waited)
    assert searched(path) == from_scratch(path)
    assert len(written) == 1
