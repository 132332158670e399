"""When the machine cannot store or read: the answer says so, and health too."""

from __future__ import annotations

import io
import sqlite3
import tempfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from starlette.testclient import TestClient

from contrawarp_edge import Embedder, Gallery
from contrawarp_edge.gallery.uploads import Uploads

MakeClient = Callable[..., TestClient]
SEARCH = {"like": [{"id": 1}]}
FULL = "database or disk is full"


def picture(side: int = 20) -> bytes:
    rng = np.random.default_rng(side)
    pixels = rng.integers(0, 256, (side, side, 3)).astype(np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()


def one_line(answer: Any, status: int, *parts: str) -> None:
    assert answer.status_code == status, answer.text
    assert list(answer.json()) == ["error"]
    for part in parts:
        assert part in answer.json()["error"]


def fail(path: Path, statement: str, message: str) -> None:
    """Makes SQLite refuse a kind of statement, as it does when the disk is full."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute(
            f"CREATE TRIGGER fails BEFORE {statement} ON images "
            f"BEGIN SELECT RAISE(ABORT, '{message}'); END"
        )


def count(client: TestClient) -> int:
    return int(client.get("/api/stats").json()["images"])


def test_no_temporary_files(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Large uploads need no folder for them, as in a container that is read-only."""
    monkeypatch.setattr(tempfile, "tempdir", "/nowhere")
    with pytest.raises(OSError, match="nowhere"), tempfile.TemporaryFile():
        pass
    large = picture(1000)
    assert len(large) > 2 << 20
    whole = client.post("/api/embed", files=[("image", large), ("image", picture())])
    assert whole.status_code == 200, whole.text
    parts = [client.post("/api/embed", files={"image": d}) for d in (large, picture())]
    alone = [part.json()["embeddings"][0] for part in parts]
    np.testing.assert_allclose(whole.json()["embeddings"], alone, atol=1e-6)


@pytest.mark.parametrize(("message", "status"), [(FULL, 507), ("disk I/O error", 503)])
def test_delete_on_a_full_disk(
    make_client: MakeClient, gallery_path: Path, message: str, status: int
) -> None:
    fail(gallery_path, "DELETE", message)
    client = make_client(writable=True)
    one_line(client.delete("/api/images/1"), status, "cannot delete", message)
    assert client.get("/api/images/1").status_code == 200
    assert count(client) == 30


@pytest.mark.parametrize(("message", "status"), [(FULL, 507), ("disk I/O error", 503)])
def test_add_on_a_full_disk(
    make_client: MakeClient, gallery_path: Path, message: str, status: int
) -> None:
    fail(gallery_path, "INSERT", message)
    client = make_client(writable=True)
    answer = client.post("/api/images", files={"image": picture()})
    one_line(answer, status, "cannot store", message)
    assert not list(gallery_path.with_name("faces.gallery.uploads").iterdir())
    assert count(client) == 30


def test_file_that_cannot_be_removed(
    make_client: MakeClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = make_client(writable=True)
    id = client.post("/api/images", files={"image": picture()}).json()["id"]

    def readonly(uploads: Uploads, paths: object, *, drafts: bool = False) -> int:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(Uploads, "sweep", readonly)
    answer = client.delete(f"/api/images/{id}")
    one_line(answer, 503, "cannot delete", "Read-only file system")


def test_damaged_gallery_is_not_the_clients_fault(
    make_client: MakeClient, gallery_path: Path
) -> None:
    with closing(sqlite3.connect(gallery_path, isolation_level=None)) as connection:
        connection.execute("UPDATE images SET metadata = '{' WHERE id = 3")
    client = make_client()
    one_line(client.get("/api/images/3"), 503, "damaged")
    one_line(client.get("/api/images/3/thumbnail"), 503, "damaged")
    assert client.get("/api/images/4/thumbnail").status_code == 200


def test_too_many_conditions(client: TestClient) -> None:
    """More than SQLite can take are a mistake of the client."""
    where = {str(number): number for number in range(1100)}
    answer = client.post("/api/search", json={**SEARCH, "where": where})
    one_line(answer, 422, "where")


def another(path: Path, model: Path) -> Path:
    with Gallery.create(path, Embedder(model).info):
        pass
    return path


def test_health(make_client: MakeClient) -> None:
    for writable in (False, True):
        answer = make_client(writable=writable).get("/api/health")
        assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


@pytest.mark.parametrize("writable", [False, True])
def test_gallery_is_gone_and_back(
    make_client: MakeClient, gallery_path: Path, writable: bool
) -> None:
    client = make_client(writable=writable, token="a-token-that-is-long-enough")
    headers = {"authorization": "Bearer a-token-that-is-long-enough"}
    away = gallery_path.with_name("away")
    gallery_path.rename(away)
    for _ in range(2):
        health = client.get("/api/health")
        one_line(health, 503, "gone")
        assert str(gallery_path.parent) not in health.text  # anybody may ask
    one_line(client.get("/api/stats", headers=headers), 503)
    one_line(client.post("/api/search", json=SEARCH, headers=headers), 503)
    if writable:
        one_line(client.delete("/api/images/1", headers=headers), 503)
        files = {"image": picture()}
        added = client.post("/api/images", files=files, headers=headers)
        one_line(added, 503)
        assert not gallery_path.with_name("faces.gallery.uploads").exists()
    assert not gallery_path.exists()
    away.rename(gallery_path)
    assert client.get("/api/health").status_code == 200
    assert client.get("/api/stats", headers=headers).json()["images"] == 30


def test_gallery_is_replaced(
    make_client: MakeClient, gallery_path: Path, model: Path
) -> None:
    """Who only reads follows; who writes would write where nobody looks."""
    reader, writer = make_client(), make_client(writable=True)
    another(gallery_path.with_name("other"), model).replace(gallery_path)
    assert reader.get("/api/health").status_code == 200
    assert count(reader) == 0
    one_line(writer.get("/api/health"), 503)
    one_line(writer.get("/api/stats"), 503, "replaced")
    one_line(writer.post("/api/search", json=SEARCH), 503, "replaced")
    one_line(writer.delete("/api/images/1"), 503, "replaced")


def test_gallery_is_written_over(
    make_client: MakeClient, gallery_path: Path, model: Path
) -> None:
    client = make_client()
    other = another(gallery_path.with_name("other"), model)
    gallery_path.write_bytes(other.read_bytes())
    one_line(client.get("/api/health"), 503, "replaced")


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: b"",
        lambda data: data[: len(data) // 2],
        lambda data: b"x" * len(data),
        lambda data: data[:16384] + b"x" * (len(data) - 16384),
    ],
    ids=["empty", "half", "other", "header only"],
)
def test_gallery_is_damaged(
    make_client: MakeClient, gallery_path: Path, damage: Callable[[bytes], bytes]
) -> None:
    client = make_client()
    whole = gallery_path.read_bytes()
    gallery_path.write_bytes(damage(whole))
    health = client.get("/api/health")
    one_line(health, 503)
    assert str(gallery_path) not in health.text


def test_gallery_grows(make_client: MakeClient, gallery_path: Path) -> None:
    """What others add or delete meanwhile is no fault."""
    client = make_client()
    with Gallery.open(gallery_path) as gallery:
        gallery.delete([1, 2])
    assert client.get("/api/health").status_code == 200
    with Gallery.open(gallery_path) as gallery:
        gallery.delete(range(1, 31))
    assert client.get("/api/health").status_code == 200
    assert count(client) == 0
