"""Images that clients add."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from serving.uploads import add, encoded
from starlette.testclient import TestClient

from contrawarp_edge import Gallery
from contrawarp_edge.gallery import erase
from contrawarp_edge.server.settings import Access, Limits

MakeClient = Callable[..., TestClient]


Serve = Callable[[Path, Path, Access, Limits], TestClient]


def test_add_search_and_delete(make_client: MakeClient, gallery_path: Path) -> None:
    client = make_client(writable=True)
    data = encoded("JPEG")
    answer = add(client, data, {"person": "new", "tags": ["a"]})
    assert answer.status_code == 201
    record = answer.json()
    stored = Path(record["path"])
    assert stored.parent == gallery_path.with_name("faces.gallery.uploads")
    assert stored.name == hashlib.sha256(data).hexdigest() + ".jpg"
    assert stored.read_bytes() == data
    assert record["metadata"] == {"person": "new", "tags": ["a"]}
    found = client.post("/api/search/image", files={"image": data}, data={"k": "1"})
    assert found.json()["hits"][0]["id"] == record["id"]
    assert client.get(f"/api/images/{record['id']}/thumbnail").status_code == 200

    again = add(client, data, {"person": "renamed"})
    assert (again.status_code, again.json()["id"]) == (200, record["id"])
    assert again.json()["metadata"] == {"person": "renamed"}
    assert client.get("/api/stats").json()["images"] == 31

    assert client.delete(f"/api/images/{record['id']}").status_code == 204
    assert client.delete(f"/api/images/{record['id']}").status_code == 404
    assert not list(stored.parent.iterdir())
    assert client.get(f"/api/images/{record['id']}").status_code == 404


@pytest.mark.parametrize(
    "metadata",
    [
        "[]",
        "{",
        '{"a": NaN}',
        '"text"',
        '{"a": "\\ud800"}',
        '{"a": "' + "x" * 20_000 + '"}',
    ],
)
def test_bad_metadata_adds_nothing(
    make_client: MakeClient, gallery_path: Path, metadata: str
) -> None:
    client = make_client(writable=True)
    answer = client.post(
        "/api/images", files={"image": encoded("PNG")}, data={"metadata": metadata}
    )
    assert answer.status_code == 422
    assert list(answer.json()) == ["error"]
    assert client.get("/api/stats").json()["images"] == 30
    assert not gallery_path.with_name("faces.gallery.uploads").exists()


def test_broken_image_adds_nothing(make_client: MakeClient, gallery_path: Path) -> None:
    client = make_client(writable=True)
    assert add(client, b"broken").status_code == 422
    assert client.get("/api/stats").json()["images"] == 30
    assert not gallery_path.with_name("faces.gallery.uploads").exists()


def test_full_disk_adds_nothing(
    make_client: MakeClient, gallery_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = make_client(writable=True)

    def full(path: Path, target: Path) -> None:
        raise OSError(28, "No space left on device", str(target))

    monkeypatch.setattr(Path, "replace", full)
    answer = add(client, encoded("PNG"))
    assert (answer.status_code, list(answer.json())) == (507, ["error"])
    assert client.get("/api/stats").json()["images"] == 30
    assert not list(gallery_path.with_name("faces.gallery.uploads").iterdir())


def test_searching_while_adding(make_client: MakeClient, gallery_path: Path) -> None:
    client = make_client(writable=True, threads=3)
    statuses: list[int] = []
    counts: list[int] = []

    def search() -> None:
        while len(statuses) < 24:
            answer = client.post("/api/search", json={"like": [{"id": 1}], "k": 200})
            assert answer.status_code == 200
            found = answer.json()
            assert len(found["hits"]) <= found["images"]
            counts.append(len(found["hits"]))

    readers = [threading.Thread(target=search) for _ in range(2)]
    for reader in readers:
        reader.start()
    for side in range(10, 34):
        statuses.append(add(client, encoded("PNG", (side, side))).status_code)
    for reader in readers:
        reader.join(timeout=300)
        assert not reader.is_alive()
    assert statuses == [201] * 24
    assert set(counts) <= set(range(29, 54))
    answer = client.post("/api/search", json={"like": [{"id": 1}], "k": 200})
    assert len(answer.json()["hits"]) == 53
    with Gallery.open(gallery_path, readonly=True) as gallery:
        assert len(gallery) == 54


def test_same_image_from_many(make_client: MakeClient) -> None:
    client = make_client(writable=True, threads=4)
    data = encoded("PNG")
    ids: list[int] = []
    threads = [
        threading.Thread(target=lambda: ids.append(add(client, data).json()["id"]))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(ids) == 8
    assert len(set(ids)) == 1
    assert client.get("/api/stats").json()["images"] == 31


def files_below(folder: Path) -> set[Path]:
    return {path for path in folder.rglob("*") if path.is_file()}


def test_uploads_move_with_the_gallery(
    serve: Serve, gallery_path: Path, model: Path, tmp_path: Path
) -> None:
    home = tmp_path / "a"
    home.mkdir()
    gallery = gallery_path.rename(home / gallery_path.name)
    data, writable = encoded("JPEG"), Access(writable=True)
    with serve(gallery, model, writable, Limits()) as client:
        ids = [add(client, content).json()["id"] for content in (data, encoded("PNG"))]
    gallery = home.rename(tmp_path / "b") / gallery.name
    with serve(gallery, model, writable, Limits()) as client:
        for id in ids:
            assert client.get(f"/api/images/{id}/thumbnail").status_code == 200
        assert client.delete(f"/api/images/{ids[0]}").status_code == 204
        (kept,) = files_below(tmp_path / "b" / "faces.gallery.uploads")
        assert kept.suffix == ".png"
    with serve(gallery, model, Access(), Limits()) as client:
        assert client.get(f"/api/images/{ids[1]}/thumbnail").status_code == 200
    with Gallery.open(gallery) as opened:
        opened.delete([ids[1]])
    assert not files_below(tmp_path / "b" / "faces.gallery.uploads")


def test_orphans_go_when_the_service_starts(
    serve: Serve, gallery_path: Path, model: Path
) -> None:
    folder = gallery_path.with_name("faces.gallery.uploads")
    folder.mkdir()
    names = [f"{7:064x}.jpg", f".{7:064x}.jpg.draft", "mine.jpg", ".hidden"]
    for name in names:
        (folder / name).touch()
    with serve(gallery_path, model, Access(), Limits()):
        assert {path.name for path in folder.iterdir()} == set(names)
    with serve(gallery_path, model, Access(writable=True), Limits()) as client:
        assert {path.name for path in folder.iterdir()} == {"mine.jpg", ".hidden"}
        add(client, encoded("PNG"))
    with serve(gallery_path, model, Access(writable=True), Limits()):
        assert len(list(folder.iterdir())) == 3


def test_a_picture_that_another_process_swept_is_written_again(
    make_client: MakeClient, gallery_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = make_client(writable=True)
    before = Gallery.add

    def add_late(gallery: Gallery, records: list[Any]) -> list[int]:
        erase.remove_orphans(gallery_path)
        return before(gallery, records)

    monkeypatch.setattr(Gallery, "add", add_late)
    record = add(client, encoded("PNG")).json()
    assert Path(record["path"]).read_bytes() == encoded("PNG")
