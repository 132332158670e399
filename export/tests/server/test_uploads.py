"""Images that clients send: to search with, to add, and to break things."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from serving.uploads import encoded
from starlette.testclient import TestClient

from contrawarp_edge.server.settings import Access, Limits

MakeClient = Callable[..., TestClient]
Serve = Callable[[Path, Path, Access, Limits], TestClient]


def png_of_size(width: int, height: int) -> bytes:
    """A PNG that says it is large, and has no pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        checksum = struct.pack(">I", zlib.crc32(kind + data))
        return struct.pack(">I", len(data)) + kind + data + checksum

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", b"")


def embed(client: TestClient, data: bytes, name: str = "a.png") -> Any:
    return client.post("/api/embed", files={"image": (name, data, "image/png")})


@pytest.mark.parametrize("format", ["PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF"])
def test_formats(client: TestClient, format: str) -> None:
    assert embed(client, encoded(format)).status_code == 200


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "no image in JPEG"),
        (b"GIF89a", "no image in JPEG"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "no image in JPEG"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "no image in JPEG"),
        (encoded("TGA"), "no image in JPEG"),
        (encoded("JPEG", (99, 99))[:900], "truncated"),
        (encoded("PNG", (99, 99))[:900], "the upload: "),
        (png_of_size(5000, 5000), "24 million pixels"),
        (png_of_size(20_000, 20_000), "24 million pixels"),
        (png_of_size((1 << 31) - 1, 9), "24 million pixels"),
    ],
)
def test_bad_images(client: TestClient, data: bytes, message: str) -> None:
    answer = embed(client, data)
    assert answer.status_code == 422
    assert message in answer.json()["error"]
    assert client.get("/api/health").status_code == 200


def test_bomb_is_refused_before_it_is_decoded(make_client: MakeClient) -> None:
    bomb = io.BytesIO()
    Image.new("1", (20_000, 9_000)).save(bomb, "PNG", optimize=True)
    assert len(bomb.getvalue()) < 100_000
    answer = embed(make_client(), bomb.getvalue())
    assert "24 million pixels" in answer.json()["error"]
    smaller = make_client(pixels=599)
    assert embed(smaller, encoded("PNG")).status_code == 422
    assert embed(smaller, encoded("PNG", (20, 29))).status_code == 200


def test_rotation_is_applied(client: TestClient) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    image = Image.new("RGB", (16, 8), "navy")
    turned, plain = io.BytesIO(), io.BytesIO()
    image.save(turned, "PNG", exif=exif)
    image.rotate(-90, expand=True).save(plain, "PNG")
    answers = [
        embed(client, f.getvalue()).json()["embeddings"] for f in (turned, plain)
    ]
    np.testing.assert_allclose(*answers, atol=1e-6)


def test_too_many_images(make_client: MakeClient) -> None:
    client = make_client(examples=2)
    files = [("image", ("a.png", encoded("PNG"), "image/png"))] * 3
    answer = client.post("/api/embed", files=files)
    assert answer.status_code == 422
    assert "1 to 2 examples" in answer.json()["error"]
