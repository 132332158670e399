"""Images that clients delete."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
from serving.uploads import add, encoded
from starlette.testclient import TestClient

from contrawarp_edge import Gallery
from contrawarp_edge.core.errors import FullError

MakeClient = Callable[..., TestClient]


def test_originals_are_never_deleted(
    make_client: MakeClient, faces: list[Path]
) -> None:
    client = make_client(writable=True)
    assert client.delete("/api/images/1").status_code == 204
    assert faces[0].is_file()
    assert client.get("/api/images/1").status_code == 404


def test_full_disk_deletes_nothing(
    make_client: MakeClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = make_client(writable=True)

    def full(gallery: Gallery, ids: Iterable[int]) -> int:
        raise FullError(f"{gallery.path}: database or disk is full")

    with monkeypatch.context() as patched:
        patched.setattr(Gallery, "delete", full)
        answer = client.delete("/api/images/1")
    assert (answer.status_code, list(answer.json())) == (507, ["error"])
    assert "disk is full" in answer.json()["error"]
    assert client.get("/api/images/1").status_code == 200
    assert client.delete("/api/images/1").status_code == 204


def test_delete_by_metadata(make_client: MakeClient, gallery_path: Path) -> None:
    client = make_client(writable=True)

    def delete(body: object) -> Any:
        return client.post("/api/images/delete", json=body)

    added = add(client, encoded("PNG"), {"person": "p1", "odd": True}).json()
    for bad in ({}, {"where": {}}, {"where": {"person": []}}, {"all": True}):
        assert delete(bad).status_code == 422
    assert delete({"where": {"person": "p1", "odd": True}}).json() == {"deleted": 6}
    assert not Path(added["path"]).exists()
    assert delete({"where": {"person": "p1", "odd": True}}).json() == {"deleted": 0}
    assert client.get("/api/stats").json()["images"] == 25
    values = client.get("/api/stats").json()["fields"]
    assert {"name": "person", "values": []} not in values
    reader = make_client()
    answer = reader.post("/api/images/delete", json={"where": {"person": "p0"}})
    assert answer.status_code == 403


def test_what_cannot_be_erased_is_said(
    make_client: MakeClient, gallery_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = make_client(writable=True)
    record = add(client, encoded("PNG")).json()

    def refused(path: Path, **options: object) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", refused)
        answer = client.delete(f"/api/images/{record['id']}")
    assert answer.status_code == 503
    assert "Permission denied" in answer.json()["error"]
    assert client.get(f"/api/images/{record['id']}").status_code == 404
    assert Path(record["path"]).exists()
    Gallery.open(gallery_path).close()  # tries again
    assert not Path(record["path"]).exists()


def test_what_is_erased_is_told_to_nobody(
    make_client: MakeClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = make_client(writable=True)
    delete = Gallery.delete

    def fields() -> dict[str, int]:
        found = client.get("/api/stats").json()["fields"]
        return {f["name"]: sum(v["count"] for v in f["values"]) for f in found}

    def delete_while_others_ask(gallery: Gallery, ids: Iterable[int]) -> int:
        assert fields()["person"] == 30
        return delete(gallery, ids)

    monkeypatch.setattr(Gallery, "delete", delete_while_others_ask)
    where = {"person": "p1"}
    answer = client.post("/api/images/delete", json={"where": where})
    assert answer.json() == {"deleted": 10}
    assert fields()["person"] == 20
