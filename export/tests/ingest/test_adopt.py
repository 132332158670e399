"""Files that were moved, renamed or copied keep what a gallery knows of them."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from dropped import without_privilege
from videos import save_video

from contrawarp_edge import Embedder, Gallery, Record
from contrawarp_edge.ingest.embed import Outcome, embed_into
from contrawarp_edge.ingest.watch import Watcher
from contrawarp_edge.inputs.sources import Sources
from contrawarp_edge.model.embedder import FileBatch, Outputs

MakeImages = Callable[..., list[Path]]


class Runs(Embedder):
    """Counts the images that the model has seen."""

    count = 0

    def _run(self, batch: np.ndarray) -> Outputs:
        self.count += len(batch)
        return super()._run(batch)


@pytest.fixture
def folder(open_folder: Path, make_images: MakeImages) -> Path:
    """Six images, embedded with the metadata n."""
    make_images(6, folder=str(open_folder / "p"))
    return open_folder / "p"


@pytest.fixture
def gallery(folder: Path, model: Path) -> Path:
    path = folder.parent / "a.gallery"
    embed_into(path, Embedder(model), Sources([folder]), describe=number)
    return path


def number(path: Path) -> dict[str, object]:
    return {"n": int(path.stem)}


def rows(gallery: Path) -> dict[str, tuple[int | None, object, str | None]]:
    """Id, n and time of embedding by path below the gallery's folder."""
    with Gallery.open(gallery, readonly=True) as opened:
        return {
            os.path.relpath(row.path, gallery.parent): (
                row.id,
                (row.metadata or {}).get("n"),
                row.added,
            )
            for row in opened.iter_records()
        }


def embed(
    gallery: Path, model: Path, *sources: Path, **options: object
) -> tuple[Outcome, int]:
    embedder = Runs(model)
    outcome = embed_into(gallery, embedder, Sources(sources), **options)  # type: ignore[arg-type]
    with Gallery.open(gallery, readonly=True) as opened:
        records = list(opened.iter_records())
    expected = embedder.embed([r.path for r in records if os.path.exists(r.path)])
    found = np.stack([r.embedding for r in records if os.path.exists(r.path)])
    np.testing.assert_allclose(found, expected, atol=1e-6)
    return outcome, embedder.count - len(expected)


def test_renamed_folder(folder: Path, gallery: Path, model: Path) -> None:
    before = rows(gallery)
    renamed = folder.rename(folder.with_name("q"))
    outcome, runs = embed(gallery, model, renamed)
    assert (outcome.moved, outcome.embedded, outcome.done, runs) == (6, 0, 6, 0)
    assert str(outcome) == "0 embedded, 0 unchanged, 0 skipped, 6 moved"
    assert rows(gallery) == {f"q{name[1:]}": row for name, row in before.items()}


def test_copies(folder: Path, gallery: Path, model: Path) -> None:
    before = rows(gallery)
    (folder / "7.png").write_bytes((folder / "0001.png").read_bytes())
    (folder / "8.png").hardlink_to(folder / "0002.png")
    outcome, runs = embed(gallery, model, folder)
    assert (outcome.copied, outcome.unchanged, runs) == (2, 6, 0)
    after = rows(gallery)
    assert [row[:2] for row in (after.pop("p/7.png"), after.pop("p/8.png"))] == [
        (7, None),
        (8, None),
    ]
    assert after == before


def test_moved_and_copied(folder: Path, gallery: Path, model: Path) -> None:
    content = (folder / "0001.png").read_bytes()
    (folder / "0001.png").rename(folder / "a.png")
    (folder / "b.png").write_bytes(content)
    outcome, runs = embed(gallery, model, folder)
    assert (outcome.moved, outcome.copied, outcome.unchanged, runs) == (1, 1, 5, 0)
    assert [rows(gallery)[f"p/{name}.png"][:2] for name in "ab"] == [(2, 1), (7, None)]


@pytest.mark.parametrize("kind", ["swapped", "shifted", "over another", "replaced"])
def test_names_taken_by_others(
    folder: Path, gallery: Path, model: Path, kind: str
) -> None:
    """Metadata goes with the content."""
    names = sorted(path.name for path in folder.iterdir())
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    after = dict(before)
    if kind == "swapped":
        after[names[0]], after[names[1]] = before[names[1]], before[names[0]]
    elif kind == "shifted":
        after = {f"{n + 1:04}.png": before[names[n]] for n in range(6)}
    elif kind == "over another":
        after[names[0]] = after.pop(names[1])
    else:
        after["0009.png"] = after[names[0]]
        after[names[0]] = bytes(before[names[0]][:-12]) + b"\0" * 12
    for path in folder.iterdir():
        path.unlink()
    for name, content in after.items():
        (folder / name).write_bytes(content)
    outcome, runs = embed(gallery, model, folder)
    assert (outcome.copied, outcome.failed) == (0, [])
    assert (outcome.embedded, runs) == ((1, 1) if kind == "replaced" else (0, 0))
    number_of = {content: int(Path(name).stem) for name, content in before.items()}
    expected = {f"p/{name}": number_of.get(after[name]) for name in after}
    found = {name: row[1] for name, row in rows(gallery).items()}
    if kind == "shifted":
        assert "p/0000.png" not in found
    assert found == expected


def test_equal_files_keep_their_names(
    open_folder: Path, model: Path, make_images: MakeImages
) -> None:
    folder = open_folder / "p"
    content = make_images(1, folder=str(folder))[0].read_bytes()
    for n in (1, 2, 3):
        (folder / f"000{n}.png").write_bytes(content)
    gallery = open_folder / "a.gallery"
    embed_into(gallery, Embedder(model), Sources([folder]), describe=number)
    outcome, _ = embed(gallery, model, folder.rename(open_folder / "q"))
    assert outcome.moved == 4
    assert all(name == f"q/000{row[1]}.png" for name, row in rows(gallery).items())


def test_an_original_that_cannot_be_looked_at_is_still_there(
    folder: Path, gallery: Path, model: Path
) -> None:
    copy = folder.parent / "q" / "a.png"
    copy.parent.mkdir()
    copy.write_bytes((folder / "0001.png").read_bytes())
    os.chmod(folder, 0)
    try:
        embedder = Runs(model)
        with without_privilege(folder.parent):
            outcome = embed_into(gallery, embedder, [copy])
    finally:
        os.chmod(folder, 0o755)
    assert (outcome.moved, outcome.copied, embedder.count) == (0, 1, 0)
    assert rows(gallery)["p/0001.png"][:2] == (2, 1)


def test_records_without_a_hash_are_no_twins(
    folder: Path, gallery: Path, model: Path
) -> None:
    with Gallery.open(gallery) as opened:
        opened.add([Record("/far", "", np.ones(8, np.float32))])
        assert opened.paths.twins(folder / "new.png", "") == []


def test_what_was_known_a_moment_ago(folder: Path, gallery: Path, model: Path) -> None:
    """As if another process had removed it between the reading and the storing."""

    class Late(Runs):
        def embed_files(self, paths, **options):  # type: ignore[no-untyped-def]
            batches = super().embed_files(paths, **options)
            for batch in batches:
                known = [(path, "0" * 64) for path, _ in batch.known]
                yield FileBatch(**{**vars(batch), "known": known})

    for path in list(folder.iterdir())[1:]:
        path.unlink()
    outcome = embed_into(gallery, Late(model), Sources([folder]))
    assert (outcome.embedded, outcome.unchanged, outcome.failed) == (1, 0, [])


def test_moved_video(
    folder: Path, gallery: Path, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder.parent)
    clip = save_video(folder / "clip.mp4", list(range(10, 250, 8)))
    save_video(folder / "other.mp4", list(range(250, 10, -8)))
    describe = lambda path: {"n": 1} if "clip" in str(path) else {}  # noqa: E731
    videos = Sources([folder], every=1.0)
    embed_into(gallery, Embedder(model), videos, every=1.0, describe=describe)
    embedder = Runs(model)
    with Gallery.open(gallery, readonly=True) as opened:
        before = [opened.get(f"{clip}#t={n}.000") for n in range(3)]
    clip.rename(folder / "moved.mp4")
    outcome = embed_into(gallery, embedder, videos, every=1.0)
    assert (outcome.moved, outcome.embedded, embedder.count) == (3, 0, 0)
    with Gallery.open(gallery, readonly=True) as opened:
        for n, row in enumerate(before):
            again = opened.get(f"p/moved.mp4#t={n}.000")
            assert row is not None
            assert again is not None
            assert again.id == row.id
            video = str(folder / "moved.mp4")
            assert again.metadata == {"n": 1, "video": video, "time": float(n)}
        assert not list(opened.paths.frames(clip))


def test_watch_sees_that_a_folder_was_renamed(
    folder: Path, gallery: Path, model: Path
) -> None:
    before = rows(gallery)
    watcher = Watcher(gallery, Embedder(model), Sources([folder.parent]))

    def poll() -> tuple[int, int]:
        outcome, pruned = watcher.poll()
        return outcome.moved, len(pruned.gone)

    assert [poll(), poll()] == [(0, 0), (0, 0)]
    folder.rename(folder.with_name("q"))
    assert [poll(), poll(), poll()] == [(0, 0), (6, 0), (0, 0)]
    assert rows(gallery) == {f"q{name[1:]}": row for name, row in before.items()}
