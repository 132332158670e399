"""What cannot be answered: one line of JSON, and whose fault it is."""

from __future__ import annotations

import io
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from starlette.testclient import TestClient

from contrawarp_edge import Gallery

MakeClient = Callable[..., TestClient]


@pytest.mark.parametrize("writable", [False, True])
def test_a_gallery_that_is_gone(
    make_client: MakeClient, gallery_path: Path, tmp_path: Path, writable: bool
) -> None:
    client = make_client(writable=writable)
    picture = Image.effect_noise((64, 64), 50).convert("RGB")
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    moved = gallery_path.rename(tmp_path / "moved")
    health = client.get("/api/health")
    assert (health.status_code, list(health.json())) == (503, ["error"])
    assert str(tmp_path) not in health.text  # anybody may ask
    answer = client.get("/api/images/1")
    assert (answer.status_code, list(answer.json())) == (503, ["error"])
    if writable:
        answer = client.post("/api/images", files={"image": buffer.getvalue()})
        assert (answer.status_code, list(answer.json())) == (503, ["error"])
        answer = client.delete("/api/images/1")
        assert (answer.status_code, list(answer.json())) == (503, ["error"])
    moved.rename(gallery_path)
    assert client.get("/api/health").json() == {"status": "ok"}
    assert client.get("/api/images/1").status_code == 200
    assert client.get("/api/stats").json()["images"] == 30


@pytest.mark.parametrize(
    ("request_", "status", "parts"),
    [
        ({}, 422, ["like", "required"]),
        ({"like": []}, 422, ["like"]),
        ({"like": [{}]}, 422, ["an example has either an id or an embedding"]),
        ({"like": [{"id": 1, "embedding": [1.0]}]}, 422, ["either an id"]),
        ({"like": [{"id": 99}]}, 404, ["no image has id 99"]),
        ({"like": [{"id": -1}]}, 422, ["like.0.id"]),
        ({"like": [{"id": 1 << 70}]}, 422, ["like.0.id"]),
        ({"like": [{"embedding": [1.0, 2.0]}]}, 422, ["has 2 numbers", "8"]),
        ({"like": [{"embedding": [0.0] * 8}]}, 422, ["zero or not finite"]),
        ({"like": [{"embedding": [1e308] * 8}]}, 422, ["zero or not finite"]),
        ({"like": [{"embedding": ["x"] * 8}]}, 422, ["like.0.embedding.0"]),
        ({"like": [{"id": 1}] * 33}, 422, ["1 to 32 examples", "33"]),
        ({"like": [{"id": 1}], "k": 0}, 422, ["k: "]),
        ({"like": [{"id": 1}], "k": 201}, 422, ["at most 200"]),
        ({"like": [{"id": 1}], "min_score": 2}, 422, ["min_score"]),
        ({"like": [{"id": 1}], "where": {"a": [1]}}, 422, ["where.a"]),
        ({"like": [{"id": 1}], "where": {"a": None}}, 422, ["where.a"]),
        ({"like": [{"id": 1}], "oops": 1}, 422, ["oops"]),
    ],
)
def test_bad_searches(
    client: TestClient, request_: dict[str, Any], status: int, parts: list[str]
) -> None:
    answer = client.post("/api/search", json=request_)
    assert answer.status_code == status
    assert list(answer.json()) == ["error"]
    for part in parts:
        assert part in answer.json()["error"]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b'{"like": [{"embedding": [NaN]}]}',
        b'{"like": [{"id": 1}], "where": {"\\ud800": "\\ud800"}}',
        b"[" * 100_000,
        b"\xff\xfe",
    ],
)
def test_bad_json(client: TestClient, body: bytes) -> None:
    headers = {"content-type": "application/json"}
    answer = client.post("/api/search", content=body, headers=headers)
    assert answer.status_code in (400, 422)
    assert list(answer.json()) == ["error"]
    assert "\n" not in answer.json()["error"]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/api/images/99", 404),
        ("GET", "/api/images/99/thumbnail", 404),
        ("GET", "/api/images/0", 422),
        ("GET", "/api/images/x", 422),
        ("GET", f"/api/images/{1 << 64}", 422),
        ("GET", "/api/nothing", 404),
        ("GET", "/nothing", 404),
        ("PUT", "/api/stats", 405),
        ("POST", "/api/embed", 422),
        ("POST", "/api/search/image", 422),
        ("DELETE", "/api/images/1", 403),
        ("GET", "/docs", 404),
    ],
)
def test_other_errors_are_json(
    client: TestClient, method: str, path: str, status: int
) -> None:
    answer = client.request(method, path)
    assert answer.status_code == status
    assert list(answer.json()) == ["error"]


def test_unexpected_errors_tell_nothing(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*arguments: object, **named: object) -> None:
        raise RuntimeError("secret detail")

    monkeypatch.setattr(Gallery, "search", fails)
    answer = client.post("/api/search", json={"like": [{"id": 1}]})
    assert answer.status_code == 500
    assert "secret" not in answer.text
    assert list(answer.json()) == ["error"]
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_damage_is_no_fault_of_the_client(
    make_client: MakeClient, gallery_path: Path
) -> None:
    with closing(sqlite3.connect(gallery_path)) as connection, connection:
        connection.execute("UPDATE images SET metadata = '{}' WHERE id = 7")
    client = make_client()
    for answer in (
        client.get("/api/images/7"),
        client.post("/api/search", json={"like": [{"id": 3}]}),
    ):
        assert answer.status_code == 503
        assert "image 7 " in answer.json()["error"]
    assert client.get("/api/images/6").status_code == 200
