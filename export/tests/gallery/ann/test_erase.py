"""An index holds nothing of images that were deleted."""

from __future__ import annotations

from pathlib import Path
from unittest import mock

import numpy as np
import pytest

from contrawarp_edge import Gallery, ModelInfo, Record
from contrawarp_edge.core.errors import BusyError
from contrawarp_edge.gallery.ann import ann_index, build, index_file
from contrawarp_edge.gallery.ann.index_file import only_writer, read_facts
from contrawarp_edge.gallery.embeddings import matrix

faiss = pytest.importorskip("faiss")
ROWS, DIM = 600, 8


@pytest.fixture
def path(tmp_path: Path, info: ModelInfo, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(matrix, "MIN_SNAPSHOT_ROWS", 100)
    monkeypatch.setattr(ann_index, "MIN_ROWS", 500)
    path = tmp_path / "faces.gallery"
    vectors = np.random.default_rng(0).normal(size=(ROWS, DIM)).astype(np.float32)
    with Gallery.create(path, info) as gallery:
        gallery.add(Record(f"{n}.png", "", vector) for n, vector in enumerate(vectors))
    build.build(path, lists=8)
    return path


def indexed(path: Path) -> set[int]:
    """The ids in the file of the index, from its cells."""
    facts = read_facts(path)
    assert facts is not None
    index = faiss.read_index(str(path.with_name(facts.file)))
    assert index.ntotal == facts.rows
    cells = index.invlists
    ids = [
        faiss.rev_swig_ptr(cells.get_ids(cell), cells.list_size(cell)).copy()
        for cell in range(index.nlist)
        if cells.list_size(cell)
    ]
    return set(np.concatenate(ids).tolist())


def beside(path: Path) -> list[str]:
    return sorted(file.name for file in path.parent.glob("faces.gallery-index*"))


def test_it_is_written_anew(path: Path) -> None:
    before = beside(path)
    stray = path.with_name("faces.gallery-index-0123abcd")
    stray.write_bytes(path.with_name(before[0]).read_bytes())
    with Gallery.open(path) as gallery:
        query = gallery.get(100).embedding  # type: ignore[union-attr]
        assert gallery.search(query).recall is not None
        gallery.delete([7, 100])
        assert indexed(path) == set(range(1, ROWS + 1)) - {7, 100}
        assert beside(path) != before
        assert len(beside(path)) == 2  # facts and the file itself
        found = gallery.search(query, k=20)
        assert found.recall is not None
        expected = gallery.search(query, k=20, exact=True)
        assert found[0][0] == expected[0][0]


@pytest.mark.parametrize("kind", ["no faiss", "outgrown", "being built", "damaged"])
def test_or_it_goes(path: Path, kind: str) -> None:
    facts = read_facts(path)
    assert facts is not None
    ids = range(1, 200) if kind == "outgrown" else [7]
    if kind == "damaged":
        path.with_name(facts.file).write_bytes(bytes(facts.size))
    with Gallery.open(path) as gallery:
        if kind == "no faiss":
            with mock.patch.dict("sys.modules", {"faiss": None}):
                gallery.delete(ids)
        elif kind == "being built":
            with only_writer(path):
                gallery.delete(ids)
        else:
            gallery.delete(ids)
        assert beside(path) == []
        assert len(gallery.search(np.ones(DIM, np.float32))[0]) == 10


@pytest.mark.parametrize("moment", ["measure", "publish", "after"])
def test_what_is_deleted_while_it_is_built(
    path: Path, moment: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    deleted = []

    def delete() -> None:
        if not deleted:
            deleted.append(7)
            with Gallery.open(path) as other:
                other.delete([7])

    name = "publish" if moment == "after" else moment
    place = build if moment == "measure" else index_file
    real = getattr(place, name)

    def with_deletion(*arguments: object) -> object:
        if moment != "after":
            delete()
        result = real(*arguments)
        if moment == "after":
            delete()
        return result

    monkeypatch.setattr(place, name, with_deletion)
    with pytest.raises(BusyError, match="deleted while its index was built"):
        build.build(path, lists=8)
    assert beside(path) == []
