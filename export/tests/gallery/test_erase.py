"""What is deleted is in no file any more."""

from __future__ import annotations

import os
import random
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from erased import DIM, fill, left, records

from contrawarp_edge import Gallery, InputError, ModelInfo
from contrawarp_edge.gallery import erase
from contrawarp_edge.gallery.embeddings import matrix
from contrawarp_edge.gallery.embeddings.snapshot import snapshot_path
from contrawarp_edge.gallery.store import gallery_file
from contrawarp_edge.gallery.uploads import Uploads


@pytest.fixture(autouse=True)
def small_snapshots(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(matrix, "MIN_SNAPSHOT_ROWS", 50)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "faces.gallery"


def test_secure_delete_does_not_depend_on_the_system(
    path: Path, info: ModelInfo
) -> None:
    Gallery.create(path, info).close()
    connection, _ = gallery_file.connect(path, readonly=False)
    with closing(connection):
        assert connection.execute("PRAGMA secure_delete").fetchone() == (1,)


def test_nothing_is_left(path: Path, info: ModelInfo) -> None:
    stored = records(200)
    fill(path, info, stored)
    with (
        Gallery.open(path, readonly=True) as reader,
        Gallery.open(path) as gallery,
    ):
        gallery.add([replace(stored[9], metadata={"who": "else"})])
        reader.search(np.ones(DIM, np.float32))
        gone = stored[5:15]
        assert len(left(path.parent, gone)) >= 2  # in the file and its copy, at least
        ids = [gallery.get(record.path).id for record in gone]  # type: ignore[union-attr]
        assert gallery.delete(ids) == len(gone)
        assert left(path.parent, gone) == []
        reader.search(np.ones(DIM, np.float32))
        gallery.search(np.ones(DIM, np.float32))
        assert left(path.parent, gone) == []
        maps = Path("/proc/self/maps")
        if maps.exists():
            assert f"{path}-vectors (deleted)" not in maps.read_text()
    with Gallery.open(path) as gallery:
        kept = [record.path for record in (*stored[:5], *stored[15:])]
        assert [row.path for row in gallery.iter_records()] == kept


@pytest.mark.parametrize(("most", "where"), [(0, "FILE"), (1 << 30, "MEMORY")])
def test_the_copy_of_a_large_gallery_is_a_file(
    path: Path, info: ModelInfo, monkeypatch: pytest.MonkeyPatch, most: int, where: str
) -> None:
    monkeypatch.setattr(erase, "_MOST_IN_MEMORY", most)
    stored, said = records(60), []
    fill(path, info, stored)
    with Gallery.open(path) as gallery:
        gallery._file.connection.set_trace_callback(said.append)
        gallery.delete([7])
    place = said.index("VACUUM")
    assert said[place - 1 : place + 2 : 2] == [
        f"PRAGMA temp_store = {where}",
        "PRAGMA temp_store = MEMORY",
    ]
    assert left(path.parent, stored[6:7]) == []


def test_rows_that_were_moved_leave_nothing(path: Path, info: ModelInfo) -> None:
    # SQLite moves rows to other pages when it needs room, and secure_delete leaves what
    # was there: with these rows, two of the paths.
    stored = [
        replace(record, path=f"{Path(record.path).stem}{'x' * 200}.jpg")
        for record in records(1000, seed=11)
    ]
    draw = random.Random(11)
    fill(path, info, stored)
    with Gallery.open(path) as gallery:
        notes = [{"note": "y" * draw.randrange(400)} for _ in stored]
        pairs = list(zip(stored, notes, strict=True))[::3]
        gallery.add(replace(record, metadata=note) for record, note in pairs)
        gone = draw.sample(stored, 200)
        gallery.delete([gallery.get(record.path).id for record in gone])  # type: ignore[union-attr, misc]
        assert left(path.parent, gone) == []


def test_drafts_and_copies_of_killed_runs_go_too(path: Path, info: ModelInfo) -> None:
    stored = records(60)
    fill(path, info, stored)
    draft = path.with_name(f".{path.name}-vectors.0123abcd")
    draft.write_bytes(Path(f"{path}-vectors").read_bytes())
    other = path.with_name("other.gallery-vectors")
    other.write_bytes(b"")
    with Gallery.open(path) as gallery:
        gallery.delete([1])
    assert left(path.parent, stored[:1]) == []
    assert other.exists()


def test_galleries_of_before_are_cleaned(path: Path, info: ModelInfo) -> None:
    stored = records(300)
    fill(path, info, stored)
    connection, _ = gallery_file.connect(path, readonly=False)
    with closing(connection):
        connection.execute("PRAGMA secure_delete = OFF")
        connection.execute("DELETE FROM images WHERE id <= 100")
    Path(f"{path}-vectors").unlink()
    assert left(path.parent, stored[:100]) == [path.name]
    with Gallery.open(path) as gallery:
        gallery.delete([150])
    assert left(path.parent, [*stored[:100], stored[149]]) == []


def test_what_lies_beside_a_gallery_is_found_by_a_link_too(
    path: Path, tmp_path: Path, info: ModelInfo
) -> None:
    stored = records(60)
    link = tmp_path / "links" / "link.gallery"
    link.parent.mkdir()
    link.symlink_to(path)
    fill(path, info, stored)
    snapshot_path(path).unlink()
    with Gallery.open(link, readonly=True) as gallery:
        gallery.search(np.ones(DIM, np.float32))
    assert os.listdir(link.parent) == ["link.gallery"]
    assert snapshot_path(path).exists()
    picture = Uploads(link).path(stored[6].sha256, "jpg")
    Uploads(link).save(picture, Path(stored[6].path).stem.encode())
    with Gallery.open(path) as gallery:
        gallery.delete([7])
    assert left(tmp_path, stored[6:7]) == []


def test_pictures_of_others_stay(path: Path, info: ModelInfo) -> None:
    stored = records(6)
    uploads = Uploads(path)
    for place in range(3):
        file = uploads.path(stored[place].sha256, "png")
        uploads.save(file, b"")
        stored[place] = replace(stored[place], path=str(file))
    mine = Path(stored[0].path).with_name("mine.png")
    mine.touch()
    foreign = path.parent / Path(stored[0].path).name
    foreign.touch()
    stored[3] = replace(stored[3], path=str(foreign))
    fill(path, info, stored)
    with Gallery.open(path) as gallery:
        gallery.delete([1, 4])
    assert foreign.exists()
    names = {file.name for file in mine.parent.iterdir()}
    assert names == {"mine.png", *(Path(r.path).name for r in stored[1:3])}


def test_a_condition_has_to_be_named(path: Path, info: ModelInfo) -> None:
    fill(path, info, records(60))
    with Gallery.open(path) as gallery:
        name = Path(gallery.get(9).path).stem  # type: ignore[union-attr]
        assert gallery.ids_where({"who": f"who-{name}"}) == [9]
        with pytest.raises(InputError, match="name a condition"):
            gallery.ids_where([])
