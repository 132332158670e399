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
    return make_gallery(tmp_path / "faces.gallery", model, faces)


def make_gallery(path: Path, model: Path, faces: list[Path]) -> Path:
    """Image i has id i + 1, the parity of i, and one of three people."""
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


def start(gallery: Path, model: Path, access: Access, limits: Limits) -> TestClient:
    return TestClient(
        create_app(gallery, Embedder(model), access, limits),
        base_url="http://127.0.0.1:8000",
        raise_server_exceptions=False,
    )


@pytest.fixture
def serve() -> Callable[[Path, Path, Access, Limits], TestClient]:
    """Starts the application for any gallery and model."""
    return start


@pytest.fixture
def make_client(gallery_path: Path, model: Path) -> Iterator[Callable[..., TestClient]]:
    """Starts the real application; keyword arguments change access and limits."""
    with ExitStack() as stack:

        def make(
            *, token: str | None = None, writable: bool = False, **limits: float
        ) -> TestClient:
            access = Access(token=token, writable=writable)
            bounds = replace(Limits(), **limits)
            return stack.enter_context(start(gallery_path, model, access, bounds))

        yield make


@pytest.fixture(scope="session")
def client(
    shared_model: Path,
    shared_images: list[Path],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[TestClient]:
    """One application that only reads, for tests that change no file of it."""
    path = tmp_path_factory.mktemp("shared") / "faces.gallery"
    make_gallery(path, shared_model, shared_images)
    with start(path, shared_model, Access(), Limits()) as started:
        yield started
