from __future__ import annotations

import io
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from starlette.testclient import TestClient

from contrawarp_edge import Gallery, ModelInfo
from contrawarp_edge.gallery.ann import ann_index
from contrawarp_edge.gallery.ann.build import build
from contrawarp_edge.inputs.images import read_rgb

MakeClient = Callable[..., TestClient]
Reference = Callable[[np.ndarray], np.ndarray]


@pytest.fixture
def vectors(shared_images: list[Path], reference: Reference) -> np.ndarray:
    return np.stack([reference(np.asarray(read_rgb(path))) for path in shared_images])


def search(client: TestClient, **request: Any) -> list[dict[str, Any]]:
    answer = client.post("/api/search", json=request)
    assert answer.status_code == 200, answer.text
    assert answer.json()["images"] == 30
    return answer.json()["hits"]


def upload(*paths: Path, name: str = "image") -> list[tuple[str, Any]]:
    return [(name, (path.name, path.read_bytes(), "image/png")) for path in paths]


def expected_ids(query: np.ndarray, vectors: np.ndarray, k: int, without: set[int]):
    order = np.argsort(-(vectors @ query), kind="stable") + 1
    return [id for id in order.tolist() if id not in without][:k]


def unit(vector: np.ndarray) -> np.ndarray:
    return vector / np.linalg.norm(vector)


def test_embed(
    client: TestClient, shared_images: list[Path], vectors: np.ndarray, info: ModelInfo
) -> None:
    answer = client.post("/api/embed", files=upload(*shared_images[:3]))
    assert answer.status_code == 200
    assert answer.json()["fingerprint"] == info.fingerprint
    np.testing.assert_allclose(answer.json()["embeddings"], vectors[:3], atol=1e-6)


def test_search_by_image(
    client: TestClient, shared_images: list[Path], vectors: np.ndarray
) -> None:
    answer = client.post(
        "/api/search/image", files=upload(shared_images[6]), data={"k": "5"}
    ).json()
    assert [hit["id"] for hit in answer["hits"]] == expected_ids(
        vectors[6], vectors, 5, set()
    )
    best = answer["hits"][0]
    assert best["score"] == pytest.approx(1, abs=1e-6)
    assert (best["id"], best["path"]) == (7, str(shared_images[6]))
    assert best["metadata"] == {"odd": False, "person": "p0"}


def test_search_by_ids(client: TestClient, vectors: np.ndarray) -> None:
    hits = search(client, like=[{"id": 4}], k=6)
    assert [hit["id"] for hit in hits] == expected_ids(vectors[3], vectors, 6, {4})
    scores = [vectors[3] @ vectors[hit["id"] - 1] for hit in hits]
    np.testing.assert_allclose([hit["score"] for hit in hits], scores, atol=1e-6)


def test_search_like_and_unlike(client: TestClient, vectors: np.ndarray) -> None:
    given = (-3 * vectors[20]).tolist()  # its length does not matter
    hits = search(
        client, like=[{"id": 1}, {"id": 5}, {"embedding": given}], unlike=[{"id": 9}]
    )
    query = unit(vectors[0] + vectors[4] - vectors[20]) - 0.5 * vectors[8]
    expected = expected_ids(unit(query), vectors, 20, {1, 5, 9})
    assert [hit["id"] for hit in hits] == expected
    score = unit(query) @ vectors[expected[0] - 1]
    assert hits[0]["score"] == pytest.approx(score, abs=1e-6)


def test_images_and_ids_together(
    client: TestClient, shared_images: list[Path], vectors: np.ndarray
) -> None:
    files = upload(shared_images[2]) + upload(shared_images[8], name="unlike_image")
    data = {"like_id": ["5", "6"], "unlike_id": ["11"]}
    answer = client.post("/api/search/image", files=files, data=data).json()
    query = unit(vectors[[2, 4, 5]].mean(axis=0))
    query = query - 0.5 * unit(vectors[[8, 10]].mean(axis=0))
    found = [hit["id"] for hit in answer["hits"]]
    assert found == expected_ids(unit(query), vectors, 20, {5, 6, 11})


def test_filters(
    client: TestClient, shared_images: list[Path], vectors: np.ndarray
) -> None:
    where = {"odd": True, "person": "p2"}
    hits = search(client, like=[{"id": 1}], where=where, k=30)
    assert {hit["id"] for hit in hits} == {6, 12, 18, 24, 30}
    form = {"where": json.dumps(where), "k": "30"}
    answer = client.post("/api/search/image", files=upload(shared_images[0]), data=form)
    assert [hit["id"] for hit in answer.json()["hits"]] == [hit["id"] for hit in hits]
    assert search(client, like=[{"id": 1}], where={"odd": "True"}) == []
    assert search(client, like=[{"id": 1}], where={"nothing": 1 << 70}) == []


def test_min_score(client: TestClient, vectors: np.ndarray) -> None:
    scores = np.sort(np.delete(vectors @ vectors[0], 0))
    floor = float(scores[10:12].mean())
    hits = search(client, like=[{"id": 1}], min_score=floor, k=30)
    assert len(hits) == len(scores) - 11
    assert min(hit["score"] for hit in hits) >= floor
    assert search(client, like=[{"id": 1}], min_score=1) == []


def test_record_and_pictures(make_client: MakeClient, faces: list[Path]) -> None:
    client = make_client()
    record = client.get("/api/images/3").json()
    assert record["path"] == str(faces[2])
    assert len(record["sha256"]) == 64
    assert record["metadata"] == {"odd": False, "person": "p2"}
    Image.new("RGB", (3000, 1500), "teal").save(faces[2])
    for kind, size in [("thumbnail", (224, 112)), ("picture", (1280, 640))]:
        answer = client.get(f"/api/images/3/{kind}")
        assert answer.headers["content-type"] == "image/jpeg"
        picture = Image.open(io.BytesIO(answer.content))
        assert (picture.format, picture.size) == ("JPEG", size)
        np.testing.assert_allclose(picture.getpixel((9, 9)), (0, 128, 128), atol=3)


def test_originals_that_are_gone(make_client: MakeClient, faces: list[Path]) -> None:
    client = make_client()
    faces[0].unlink()
    faces[1].write_bytes(b"broken")
    faces[2].unlink()
    faces[2].mkdir()
    for id in (1, 2, 3):
        answer = client.get(f"/api/images/{id}/thumbnail")
        assert answer.status_code == 404
        assert answer.json() == {"error": "the original image cannot be read any more"}
        assert client.get(f"/api/images/{id}").status_code == 200


def test_pictures_of_frames(
    make_client: MakeClient, gallery_path: Path, clip: Path
) -> None:
    with Gallery.open(gallery_path) as gallery:
        record = gallery.get(5)
        assert record is not None
        frames = [replace(record, path=f"{clip}#t={t}") for t in ("0.000", "0.500")]
        ids = gallery.add(frames)
    client = make_client()
    for id, channel in zip(ids, (0, 2), strict=True):
        answer = client.get(f"/api/images/{id}/thumbnail")
        assert answer.status_code == 200
        picture = Image.open(io.BytesIO(answer.content))
        assert picture.getpixel((16, 16))[channel] > 200  # type: ignore[index]
    clip.unlink()
    assert client.get(f"/api/images/{ids[0]}/thumbnail").status_code == 404


def test_pictures_carry_no_metadata(make_client: MakeClient, faces: list[Path]) -> None:
    client = make_client()
    exif = Image.Exif()
    exif[0x010E] = "secret place"
    Image.new("RGB", (50, 50)).save(faces[0], exif=exif)
    assert b"secret place" in faces[0].read_bytes()
    assert b"secret place" not in client.get("/api/images/1/picture").content


def test_stats(client: TestClient, info: ModelInfo) -> None:
    stats = client.get("/api/stats").json()
    assert (stats["gallery"], stats["images"]) == ("faces.gallery", 30)
    assert stats["model"]["fingerprint"] == info.fingerprint
    assert stats["model"]["crop"]["name"] == "tight-face-v1"
    odd, person = stats["fields"]
    assert (odd["name"], person["name"]) == ("odd", "person")
    assert {(v["value"], v["count"]) for v in odd["values"]} == {
        (True, 15),
        (False, 15),
    }
    assert [v["count"] for v in person["values"]] == [10, 10, 10]
    assert stats["writable"] is False
    assert client.get("/api/health").json() == {"status": "ok"}


def test_empty_gallery(make_client: MakeClient, gallery_path: Path) -> None:
    client = make_client()
    with Gallery.open(gallery_path) as gallery:
        gallery.delete(range(1, 31))
    stats = client.get("/api/stats").json()
    assert (stats["images"], stats["fields"]) == (0, [])
    answer = client.post("/api/search", json={"like": [{"embedding": [1.0] * 8}]})
    assert answer.json() == {"hits": [], "images": 0, "recall": None}


def test_page(client: TestClient) -> None:
    page = client.get("/")
    assert page.headers["content-type"].startswith("text/html")
    assert "Search faces" in page.text
    for name in ("app.js", "backend.js", "style.css", "icon.svg"):
        assert client.get(f"/{name}").status_code == 200
    for word in ("http://", "https://", "//cdn"):
        assert word not in page.text


def test_approximate_searches_say_so(
    gallery_path: Path,
    make_client: Callable[..., TestClient],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pytest.importorskip("faiss")
    monkeypatch.setattr(ann_index, "MIN_ROWS", 20)
    facts = build(gallery_path, lists=2)
    client = make_client()
    face = (gallery_path.parent / "faces" / "0003.png").read_bytes()
    for more, recall in (({}, facts.recall), ({"exact": True}, None)):
        request = {"like": [{"id": 3}], **more}
        assert client.post("/api/search", json=request).json()["recall"] == recall
        form = client.post("/api/search/image", data=more, files={"image": face})
        assert form.json()["recall"] == recall


def test_examples_that_cancel_out(client: TestClient, vectors: np.ndarray) -> None:
    opposite = {"embedding": (-vectors[0]).tolist()}
    answer = client.post("/api/search", json={"like": [{"id": 1}, opposite]})
    assert answer.status_code == 422
    assert "cancel each other out" in answer.json()["error"]
