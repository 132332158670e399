"""Expressions over REST."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from starlette.testclient import TestClient

from contrawarp_edge import Embedder
from contrawarp_edge.ingest.embed import embed_into
from contrawarp_edge.server.settings import Access, Limits

CLASSES = ["angry", "happy", "neutral"]


@pytest.fixture
def paths(make_images: Callable[..., list[Path]]) -> list[Path]:
    return make_images(12)


@pytest.fixture
def happy(
    recogniser: Path,
    tmp_path: Path,
    paths: list[Path],
    serve: Callable[..., TestClient],
) -> Iterator[TestClient]:
    """A service with a model that has classes; image i is of person i % 3."""

    def person(path: Path) -> dict[str, Any]:
        return {"identity": f"p{int(path.stem) % 3}"}

    gallery = tmp_path / "a.gallery"
    embed_into(gallery, Embedder(recogniser), paths, describe=person)
    with serve(gallery, recogniser, Access(writable=True), Limits()) as client:
        yield client


def upload(path: Path) -> tuple[str, Any]:
    return "image", (path.name, path.read_bytes(), "image/png")


def listed(client: TestClient, **request: Any) -> list[dict[str, Any]]:
    answer = client.post("/api/images/list", json=request)
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["images"]
    return found


def test_uploads_are_recognised(
    happy: TestClient, paths: list[Path], reference_scores: Callable[..., np.ndarray]
) -> None:
    answer = happy.post("/api/recognise", files=[upload(p) for p in paths[:3]]).json()
    for face, path in zip(answer["faces"], paths, strict=False):
        expected = reference_scores(np.asarray(Image.open(path)), 3)
        assert list(face["scores"]) == CLASSES
        np.testing.assert_allclose(list(face["scores"].values()), expected, atol=1e-5)
        assert face["expression"] == CLASSES[expected.argmax()]
    assert happy.get("/api/stats").json()["model"]["classes"] == CLASSES


def test_listed_by_condition_and_class(happy: TestClient) -> None:
    everything = listed(happy)
    assert [image["id"] for image in everything] == list(range(1, 13))
    label = everything[0]["expression"]
    chosen = listed(happy, where={"expression": label}, sort=label, limit=3)
    expected = [image for image in everything if image["expression"] == label]
    expected.sort(key=lambda image: -image["scores"][label])
    assert chosen == expected[:3]
    best = listed(happy, sort="happy", best_of="identity")
    assert sorted(image["metadata"]["identity"] for image in best) == ["p0", "p1", "p2"]


def test_hits_have_scores_and_an_order(happy: TestClient, paths: list[Path]) -> None:
    request = {"like": [{"id": 1}], "k": 6}
    hits = happy.post("/api/search", json=request).json()["hits"]
    known = {image["id"]: image for image in listed(happy)}
    for hit in hits:
        assert hit["scores"] == known[hit["id"]]["scores"]
        assert hit["expression"] == known[hit["id"]]["expression"]
    hits.sort(key=lambda hit: -hit["scores"]["happy"])
    again = happy.post("/api/search", json={**request, "sort": "happy"})
    assert again.json()["hits"] == hits
    form = {"k": "12", "sort": "happy", "best_of": "identity"}
    found = happy.post("/api/search/image", files=[upload(paths[0])], data=form).json()
    assert len(found["hits"]) == 3


def test_added_images_are_recognised(happy: TestClient, tmp_path: Path) -> None:
    Image.new("RGB", (9, 9), "orange").save(tmp_path / "orange.png")
    file = upload(tmp_path / "orange.png")
    record = happy.post("/api/images", files=[file]).json()
    (face,) = happy.post("/api/recognise", files=[file]).json()["faces"]
    assert (record["expression"], record["scores"]) == (
        face["expression"],
        face["scores"],
    )


def test_expressions_are_a_filter_of_the_page(happy: TestClient) -> None:
    fields = {f["name"]: f["values"] for f in happy.get("/api/stats").json()["fields"]}
    assert sum(value["count"] for value in fields["expression"]) == 12


def test_what_cannot_be_asked(
    happy: TestClient, client: TestClient, paths: list[Path]
) -> None:
    answer = client.post("/api/recognise", files=[upload(paths[0])])
    assert answer.status_code == 422
    assert "has no classes" in answer.json()["error"]
    answer = happy.post("/api/images/list", json={"sort": "bored"})
    assert answer.status_code == 422
    assert "bored: no class of the model" in answer.json()["error"]
    answer = happy.post("/api/images/list", json={"limit": 10**6})
    assert answer.status_code == 422
