"""Approximate search: what it finds, and that a wrong index is never used."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from contrawarp_edge import Gallery, InputError, ModelInfo, Record
from contrawarp_edge.cli import main
from contrawarp_edge.core.errors import FullError, StorageError
from contrawarp_edge.gallery.ann import ann_index, index_file
from contrawarp_edge.gallery.ann.build import build
from contrawarp_edge.gallery.ann.index_file import facts_path, read_facts
from contrawarp_edge.gallery.ann.state import read_state
from contrawarp_edge.gallery.embeddings import matrix

pytest.importorskip("faiss")
DIM = 32
RNG = np.random.default_rng(0)
CENTRES = RNG.normal(size=(40, DIM))


def records(count: int, start: int = 0, seed: int = 0) -> list[Record]:
    rng = np.random.default_rng([seed, start])
    vectors = CENTRES[rng.integers(0, 40, count)] + 0.6 * rng.normal(size=(count, DIM))
    return [Record(f"{start + i}.png", "", v) for i, v in enumerate(vectors)]


def queries(count: int) -> np.ndarray:
    return np.stack([r.embedding for r in records(count, seed=9)]).astype(np.float32)


@pytest.fixture
def path(
    tmp_path: Path, info: ModelInfo, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Path]:
    monkeypatch.setattr(ann_index, "MIN_ROWS", 500)
    monkeypatch.setattr(matrix, "MIN_SNAPSHOT_ROWS", 500)
    path = tmp_path / "faces.gallery"
    with Gallery.create(path, replace(info, dim=DIM)) as gallery:
        gallery.add(records(3000))
    build(path, lists=60)
    return path


def overlap(gallery: Gallery, count: int = 100) -> float:
    some = queries(count)
    approximate = gallery.search(some)
    exact = gallery.search(some, exact=True)
    assert (approximate.recall is None, exact.recall is None) == (False, True)
    for hits, wanted in zip(approximate, exact, strict=True):
        scores = {hit.id: hit.score for hit in wanted}
        assert all(scores.get(hit.id, hit.score) == hit.score for hit in hits)
        assert [h.score for h in hits] == sorted((h.score for h in hits), reverse=True)
    return float(
        np.mean(
            [
                len({hit.id for hit in hits} & {hit.id for hit in wanted}) / 10
                for hits, wanted in zip(approximate, exact, strict=True)
            ]
        )
    )


def test_recall_is_measured_and_true(path: Path) -> None:
    facts = read_facts(path)
    assert facts is not None
    assert (facts.rows, facts.lists, facts.dim) == (3000, 60, DIM)
    assert facts.probes < 60
    assert 0.96 < facts.recall <= 1
    with Gallery.open(path, readonly=True) as gallery:
        assert overlap(gallery) == pytest.approx(facts.recall, abs=0.03)


def test_later_images_are_searched_exactly(path: Path) -> None:
    late = records(100, start=2950, seed=4)  # half of them replace others
    with Gallery.open(path) as gallery:
        gallery.search(queries(1))
        gallery.add(late)
        gallery.delete(range(1, 101))
        for record in late:
            found = gallery.search(record.embedding, k=3)
            hit = found[0][0]
            assert (hit.path, found.recall is None) == (record.path, False)
            assert hit.score == pytest.approx(1, abs=1e-6)
        hits = gallery.search(queries(50), k=20)
        assert all(hit.id > 100 for some in hits for hit in some)
        assert overlap(gallery) > 0.95


def test_too_many_later_images(path: Path) -> None:
    with Gallery.open(path) as gallery:
        gallery.add(records(400, start=3000))
        assert gallery.search(queries(1)).recall is None
        build(path, lists=60)
        assert gallery.search(queries(1)).recall is not None
    left = [file.name for file in path.parent.glob("faces.gallery-index-*")]
    assert len(left) == 1  # the index before is gone


def test_too_many_are_gone(path: Path) -> None:
    with Gallery.open(path) as gallery:
        gallery.delete(range(1, 251))
        assert gallery.search(queries(1)).recall is not None
        gallery.delete(range(251, 2401))  # few of the candidates are left
        found = gallery.search(queries(1), k=30)
        assert (len(found[0]), found.recall) == (30, None)


def test_when_search_is_exact(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Gallery.open(path, readonly=True) as gallery:
        for settings in ({"where": {"a": 1}}, {"exact": True}, {"k": 1001}):
            assert gallery.search(queries(1), **settings).recall is None
        distinct = gallery.search(queries(1)[0], distinct=0.9, min_score=0.1)
        assert distinct.recall is not None
        exact = gallery.search(queries(1)[0], distinct=0.9, min_score=0.1, exact=True)
        assert len({h.id for h in distinct[0]} & {h.id for h in exact[0]}) >= 7
        monkeypatch.setattr(ann_index, "MIN_ROWS", 3001)
        assert gallery.search(queries(1)).recall is None


@pytest.mark.parametrize(
    "kind", ["deleted", "truncated", "facts", "swapped", "no file", "outside"]
)
def test_a_wrong_index_is_not_used(
    kind: str, path: Path, tmp_path: Path, info: ModelInfo
) -> None:
    file = path.with_name(read_facts(path).file)
    if kind == "deleted":
        facts_path(path).unlink()
    elif kind == "truncated":
        file.write_bytes(file.read_bytes()[:-9])
    elif kind == "facts":
        facts_path(path).write_text('{"revision": 1}')
    elif kind == "swapped":
        other = tmp_path / "other"
        with Gallery.create(other, replace(info, dim=DIM)) as gallery:
            gallery.add(records(3000, seed=3))
        build(other, lists=60)
        facts_path(path).write_text(facts_path(other).read_text())
    elif kind == "no file":
        file.unlink()
    else:
        stored = json.loads(facts_path(path).read_text())
        facts = replace(read_facts(path), file="../a")
        stored |= {"file": facts.file, "facts_checksum": index_file._checksum(facts)}
        facts_path(path).write_text(json.dumps(stored))
        assert read_facts(path) == facts
    with Gallery.open(path, readonly=True) as gallery:
        hits = gallery.search(queries(3))
        assert hits.recall is None
        assert hits == gallery.search(queries(3), exact=True)


def test_without_faiss(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "faiss", None)
    with Gallery.open(path, readonly=True) as gallery:
        assert gallery.search(queries(1)).recall is None
    with pytest.raises(InputError, match=r"contrawarp-edge\[ann\]"):
        build(path)


@pytest.mark.parametrize("seen", ["outgrown", "small", "none", "no faiss", "neither"])
def test_info(seen: str, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if seen == "outgrown":
        with Gallery.open(path) as gallery:
            gallery.add(records(1000, start=3000))
    if seen == "small":
        monkeypatch.setattr(ann_index, "MIN_ROWS", 3001)
    if seen in ("none", "neither"):
        facts_path(path).unlink()
    if seen in ("no faiss", "neither"):
        monkeypatch.setitem(sys.modules, "faiss", None)
    (line,) = (
        line
        for line in CliRunner().invoke(main, ["info", str(path)]).stdout.splitlines()
        if line.startswith("index:")
    )
    assert {
        "outgrown": "25.0% newer; not used: too much has changed",
        "small": "0.0% newer; not used below 3,001 images",
        "none": "none",
        "no faiss": "0.0% newer; not used: pip install 'contrawarp-edge[ann]'",
        "neither": "none; pip install 'contrawarp-edge[ann]'",
    }[seen] in line
    facts = json.loads(CliRunner().invoke(main, ["info", str(path), "--json"]).stdout)
    if seen in ("none", "neither"):
        assert facts["index"] is None
    else:
        newer = 1000 if seen == "outgrown" else 0
        assert (facts["index"]["newer"], facts["index"]["is_used"]) == (newer, False)


def test_command(path: Path, tmp_path: Path, info: ModelInfo) -> None:
    result = CliRunner().invoke(main, ["index", str(path), "--lists", "50"])
    assert result.exit_code == 0, result.output
    assert "3,000 images in 50 cells" in result.stdout
    assert "% of the 10 nearest" in result.stdout
    result = CliRunner().invoke(main, ["search", str(path), "--id", "7"])
    assert "approximate: " in result.stderr
    assert len(result.stdout.splitlines()) == 11
    out = CliRunner().invoke(main, ["info", str(path)]).stdout
    assert re.search(
        r"3,000 images, finds [\d.]+% of the 10 nearest, 0.0% newer\n", out
    )
    Gallery.create(tmp_path / "empty", info).close()
    result = CliRunner().invoke(main, ["index", str(tmp_path / "empty")])
    assert result.exit_code == 2
    assert "too few images" in result.stderr


def test_whether_an_index_is_whole_is_looked_at_once(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That reads all of its file."""
    looks = []
    real = index_file.file_checksum
    monkeypatch.setattr(
        index_file, "file_checksum", lambda file: looks.append(file) or real(file)
    )
    for damage in (False, True):
        if damage:
            file = path.with_name(read_facts(path).file)
            size = file.stat().st_size
            file.unlink()  # it may be mapped still
            file.write_bytes(bytes(size))
        with Gallery.open(path, readonly=True) as gallery:
            for _ in range(5):
                recall = gallery.search(queries(1)).recall
                assert (recall is None) == damage
    assert len(looks) == 2


def test_one_builder_at_a_time(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stray = path.with_name("faces.gallery-index-0123abcd")
    mine = path.with_name("faces.gallery-index-of-mine")
    for file in (stray, mine):
        file.touch()
    before = read_facts(path)
    with index_file.only_writer(path):
        result = CliRunner().invoke(main, ["index", str(path)])
        assert result.exit_code == 2
        assert result.stderr == f"Error: {path}: its index is being built\n"
    assert read_facts(path) == before
    assert (stray.exists(), mine.exists()) == (False, True)


@pytest.mark.parametrize("error", [OSError(28, "No space left"), RuntimeError("full")])
def test_an_index_that_cannot_be_written(
    path: Path, error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = sorted(path.parent.iterdir())

    def write(index: object, file: str) -> None:
        Path(file).write_bytes(b"half")
        raise error

    monkeypatch.setattr("faiss.write_index", write)
    kind = FullError if isinstance(error, OSError) else StorageError
    with pytest.raises(kind, match=r"faces\.gallery: its index cannot be written: "):
        build(path, lists=60)
    assert sorted(path.parent.iterdir()) == files


def test_when_an_index_is_needed(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def is_needed() -> bool:
        return read_state(path).is_needed

    assert not is_needed()
    with Gallery.open(path) as gallery:
        gallery.add(records(300, start=3000))
        state = read_state(path)
        assert (state.images, state.newer, state.is_needed) == (3300, 300, False)
        gallery.add(records(60, start=3300))
        assert is_needed()
    build(path, lists=60)
    file = path.with_name(read_facts(path).file)
    content = file.read_bytes()
    for damaged in (content[:-1], bytes(len(content))):
        file.write_bytes(damaged)
        assert is_needed()
    file.write_bytes(content)
    assert not is_needed()
    monkeypatch.setitem(sys.modules, "faiss", None)
    assert is_needed()
    monkeypatch.setattr(ann_index, "MIN_ROWS", 4000)
    assert not is_needed()
