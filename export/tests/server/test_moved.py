"""A service finds pictures wherever it was started, and its gallery was moved to."""

from __future__ import annotations

import io
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image
from starlette.testclient import TestClient

from contrawarp_edge import Embedder
from contrawarp_edge.ingest.embed import embed_into
from contrawarp_edge.server.app import create_app
from contrawarp_edge.server.settings import Access, Limits

HERE = "http://127.0.0.1:8000"


def client(gallery: Path, model: Path) -> TestClient:
    app = create_app(gallery, Embedder(model), Access(writable=True), Limits())
    return TestClient(app, base_url=HERE)


def pictures(client: TestClient, ids: range) -> list[int]:
    return [client.get(f"/api/images/{id}/thumbnail").status_code for id in ids]


@pytest.mark.parametrize("start", [".", "work", "work/g", "/"])
def test_pictures_and_uploads_of_a_moved_gallery(
    tmp_path: Path,
    model: Path,
    make_images: Callable[..., list[Path]],
    monkeypatch: pytest.MonkeyPatch,
    start: str,
) -> None:
    (tmp_path / "before").mkdir()
    make_images(2, folder="before/faces")
    (tmp_path / "before" / "g").mkdir()
    monkeypatch.chdir(tmp_path / "before")
    gallery = Path("g/a.gallery")
    embed_into(gallery, Embedder(model), sorted(Path("faces").iterdir()))
    data = io.BytesIO()
    Image.new("RGB", (8, 8), "red").save(data, "PNG")
    with client(gallery, model) as service:
        answer = service.post("/api/images", files={"image": data.getvalue()})
        assert answer.status_code == 201
        assert pictures(service, range(1, 4)) == [200, 200, 200]

    monkeypatch.chdir(tmp_path)
    shutil.move("before", "work")
    monkeypatch.chdir(start)
    moved = tmp_path / "work" / "g" / "a.gallery"
    with client(moved, model) as service:
        assert pictures(service, range(1, 4)) == [200, 200, 200]
        again = service.post("/api/images", files={"image": data.getvalue()})
        assert (again.status_code, again.json()["id"]) == (200, 3)
        assert Path(again.json()["path"]).is_file()
        assert service.delete("/api/images/3").status_code == 204
    assert not list(moved.with_name("a.gallery.uploads").iterdir())
