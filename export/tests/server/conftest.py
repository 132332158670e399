from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest

pytest.importorskip("fastapi", reason="needs contrawarp-edge[serve]")
from starlette.testclient import TestClient

from contrawarp_edge import Embedder, Gallery, Record
from contrawarp_edge.server.app import create_app
from contrawarp_edge.server.settings import Access, Limits

IMAGES = 30


@pytest.fixture
def faces(make_images: Callable[..., list[Path]]) -> list[Path]:
    return make_images(IMAGES)


@pytest.fixture
def gallery_path(tmp_path: Path, model: Path, faces: list[Path]) -> Path:
    """Image i has id i + 1, the parity of i, and one of three people."""
    path = tmp_path / "faces.gallery"
    embedder = Embedder(model)
    with Gallery.create(path, embedder.info) as gallery:
        gallery.add(
            Record(
                path=str(face),
                sha256=hashlib.sha256(face.read_bytes()).hexdigest(),
                embedding=embedding,
                metadata={"odd": number % 2 == 1, "person": f"p{number % 3}"},
            )
            for number, (face, embedding) in enumerate(
                zip(faces, embedder.embed(faces), strict=True)
            )
        )
        gallery.model_path = model
    return path


@pytest.fixture
def make_client(gallery_path: Path, model: Path) -> Iterator[Callable[..., TestClient]]:
    """Starts the real application; keyword arguments change access and limits."""
    with ExitStack() as stack:

        def make(
            *, token: str | None = None, writable: bool = False, **limits: float
        ) -> TestClient:
            app = create_app(
                gallery_path,
                Embedder(model),
                Access(token=token, writable=writable),
                replace(Limits(), **limits),
            )
            return stack.enter_context(
                TestClient(
                    app,
                    base_url="http://127.0.0.1:8000",
                    raise_server_exceptions=False,
                )
            )

        yield make


@pytest.fixture
def client(make_client: Callable[..., TestClient]) -> TestClient:
    return make_client()
