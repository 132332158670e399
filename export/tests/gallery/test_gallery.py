from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from contrawarp_edge import Gallery, InputError, ModelInfo, Record


def records(count: int, seed: int = 0, start: int = 0) -> list[Record]:
    rng = np.random.default_rng(seed)
    return [
        Record(
            path=f"faces/{number}.png",
            sha256=f"{number:064x}",
            embedding=rng.normal(size=8).astype(np.float32),
            metadata={"person": number % 3, "set": "train", "odd": number % 2 == 1},
        )
        for number in range(start, start + count)
    ]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "faces.gallery"


@pytest.fixture
def gallery(path: Path, info: ModelInfo) -> Iterator[Gallery]:
    with Gallery.create(path, info) as opened:
        yield opened


def expected_paths(stored: list[Record], query: np.ndarray, k: int) -> list[str]:
    matrix = np.stack([record.embedding for record in stored]).astype(float)
    scores = matrix @ query / np.linalg.norm(matrix, axis=1)
    return [stored[i].path for i in np.argsort(-scores, kind="stable")[:k]]


def test_search(gallery: Gallery) -> None:
    stored = records(100)
    gallery.add(stored)
    queries = np.random.default_rng(9).normal(size=(5, 8)).astype(np.float32)
    found = gallery.search(queries, k=7)
    for query, hits in zip(queries, found, strict=True):
        assert [hit.path for hit in hits] == expected_paths(stored, query, 7)
        nearest = stored[hits[0].id - 1]
        assert hits[0].metadata == nearest.metadata
        cosine = query @ nearest.embedding
        cosine /= np.linalg.norm(query) * np.linalg.norm(nearest.embedding)
        assert hits[0].score == pytest.approx(cosine, abs=1e-6)
    assert gallery.search(queries[0], k=7) == found[:1]
    assert len(gallery.search(queries[0], k=1000)[0]) == 100
    assert gallery.search(np.empty((0, 8), np.float32)) == []


def test_equal_images_by_id(gallery: Gallery) -> None:
    (one,) = records(1)
    gallery.add([replace(one, path=f"{number}.png") for number in range(50)])
    (hits,) = gallery.search(one.embedding, k=20)
    assert [hit.id for hit in hits] == list(range(1, 21))
    assert hits[0].score == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize(
    ("where", "matches"),
    [
        ({"person": 1}, lambda n: n % 3 == 1),
        ({"person": 1, "odd": True}, lambda n: n % 3 == 1 and n % 2 == 1),
        ({"set": "train", "odd": False}, lambda n: n % 2 == 0),
        ({"person": "1"}, lambda n: False),
        ({'it"s': 1}, lambda n: False),
        ({}, lambda n: True),
    ],
)
def test_metadata_filter(
    gallery: Gallery, where: dict[str, int], matches: Callable[[int], bool]
) -> None:
    stored = records(60)
    gallery.add(stored)
    query = stored[0].embedding
    chosen = [record for number, record in enumerate(stored) if matches(number)]
    (hits,) = gallery.search(query, k=10, where=where)
    expected = expected_paths(chosen, query, 10) if chosen else []
    assert [hit.path for hit in hits] == expected


def test_get_delete_and_upsert(gallery: Gallery) -> None:
    first, second, third = records(3)
    assert gallery.add([first, second]) == [1, 2]
    row = gallery.get(2)
    assert row is not None
    assert (row.id, row.path, row.sha256) == (2, second.path, second.sha256)
    assert row.metadata == second.metadata
    assert np.linalg.norm(row.embedding) == pytest.approx(1)

    changed = replace(first, embedding=third.embedding, sha256="new", metadata=None)
    assert gallery.add([changed]) == [1]
    row = gallery.get(1)
    assert row is not None
    assert row.sha256 == gallery.sha256_of(first.path) == "new"
    assert row.metadata == first.metadata  # None keeps what was there
    assert gallery.search(third.embedding, k=1)[0][0].id == 1

    assert gallery.delete([1, 99]) == 1
    assert gallery.get(1) is None
    assert gallery.sha256_of(first.path) is None
    assert len(gallery) == 1
    assert [hit.id for hit in gallery.search(third.embedding)[0]] == [2]
    assert gallery.delete([2]) == 1
    assert gallery.search(third.embedding) == [[]]
    assert gallery.add([third])[0] > 2  # an id is never used twice


def test_all_records_while_some_go(gallery: Gallery) -> None:
    gallery.add(records(2500))
    walk = gallery.iter_records()
    found = [next(walk)]
    gallery.delete([1, 2, 2400])
    found += walk
    ids = [record.id for record in found]
    # The first thousand had been read already.
    assert ids == [i for i in range(1, 2501) if i != 2400]
    kept = gallery.get(2500)
    assert kept is not None
    np.testing.assert_array_equal(found[-1].embedding, kept.embedding)
    assert replace(found[-1], embedding=kept.embedding) == kept


def test_matrix_follows_random_changes(gallery: Gallery, path: Path) -> None:
    rng = np.random.default_rng(5)
    with Gallery.open(path, readonly=True) as reader:
        for step in range(30):
            gallery.add(records(5, seed=step, start=int(rng.integers(40))))
            gallery.delete(rng.integers(1, 60, 3).tolist())
            query = rng.normal(size=8).astype(np.float32)
            with Gallery.open(path) as fresh:
                assert reader.search(query) == fresh.search(query)


def test_reopen(gallery: Gallery, path: Path, info: ModelInfo) -> None:
    stored = records(20)
    gallery.add(stored)
    gallery.model_path = Path("/models/face.onnx")
    before = gallery.search(stored[4].embedding)
    gallery.close()
    assert [file.name for file in path.parent.iterdir()] == [path.name]
    with Gallery.open(path, readonly=True) as again:
        assert again.search(stored[4].embedding) == before
        assert again.info == info
        assert again.model_path == Path("/models/face.onnx")
        with pytest.raises(InputError, match="readonly"):
            again.add(stored)
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_bad_records_change_nothing(gallery: Gallery) -> None:
    good, other = records(2)
    for bad, message in [
        (replace(other, embedding=np.zeros(8, np.float32)), "zero"),
        (replace(other, embedding=np.full(8, np.nan, np.float32)), "not finite"),
        (replace(other, embedding=np.ones(9, np.float32)), "length 8"),
        (replace(other, metadata={"a": object()}), "no JSON"),
        (replace(other, metadata={"a": float("nan")}), "no JSON"),
    ]:
        with pytest.raises(InputError, match=message):
            gallery.add([good, bad])
    assert len(gallery) == 0


def test_bad_searches(gallery: Gallery) -> None:
    for query, k, message in [
        (np.ones(9), 1, "length 8"),
        (np.zeros(8), 1, "zero"),
        (np.ones((1, 1, 8)), 1, "does not fit"),
        (np.ones(8), 0, "at least 1"),
    ]:
        with pytest.raises(InputError, match=message):
            gallery.search(query.astype(np.float32), k=k)


def test_another_model(gallery: Gallery, info: ModelInfo) -> None:
    gallery.check_model(replace(info, backbone="renamed"))
    other = replace(info, fingerprint="f" * 64)
    with pytest.raises(InputError) as caught:
        gallery.check_model(other)
    for part in ("faces.gallery", info.fingerprint[:12], "f" * 12, "new gallery"):
        assert part in str(caught.value)


def test_create_does_not_replace(gallery: Gallery, path: Path, info: ModelInfo) -> None:
    gallery.add(records(1))
    with pytest.raises(InputError, match="is there already"):
        Gallery.create(path, info)
    assert len(gallery) == 1
    with pytest.raises(InputError, match="folder does not exist"):
        Gallery.create(path.parent / "none" / "a.gallery", info)


def test_not_a_gallery(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("hello " * 100)
    (tmp_path / "empty").touch()
    with closing(sqlite3.connect(tmp_path / "other")) as connection:
        connection.execute("CREATE TABLE meta (a)")
    files = sorted(tmp_path.iterdir())
    for name in ("text", "empty", "other"):
        with pytest.raises(InputError, match=f"{name}: not a gallery"):
            Gallery.open(tmp_path / name)
    with pytest.raises(InputError, match="no such gallery"):
        Gallery.open(tmp_path / "none")
    with pytest.raises(InputError, match="is a folder"):
        Gallery.open(tmp_path)
    assert sorted(tmp_path.iterdir()) == files


READER = """
import sys, time
import numpy as np
from contrawarp_edge import Gallery
query = np.ones(8, np.float32)
with Gallery.open(sys.argv[1], readonly=True) as gallery:
    seen, end = 0, time.monotonic() + 300
    print("ready", flush=True)
    while seen < 400:
        assert time.monotonic() < end
        (hits,) = gallery.search(query, k=1000)
        assert len(hits) % 20 == 0, len(hits)  # whole transactions only
        assert len(hits) >= seen
        seen = len(hits)
"""


def test_readers_go_on_while_one_writes(gallery: Gallery, path: Path) -> None:
    readers = [
        subprocess.Popen([sys.executable, "-c", READER, path], stdout=subprocess.PIPE)
        for _ in range(2)
    ]
    for reader in readers:
        assert reader.stdout is not None
        reader.stdout.readline()
    for start in range(0, 400, 20):
        gallery.add(records(20, seed=start, start=start))
    for reader in readers:
        assert reader.wait(timeout=300) == 0
        assert reader.stdout is not None
        reader.stdout.close()
