"""A real browser; tests that need one say why they are skipped where there is none."""

from __future__ import annotations

import functools
import shutil
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from serving.browsing import NewPage, Serve, open_page

from contrawarp_edge import Embedder, Gallery, InputError, Record
from contrawarp_edge.web.runtime import read_runtime

IMAGES = 30
_NAMES = ("chromium", "chromium-browser", "google-chrome")


@pytest.fixture
def faces(make_images: Callable[..., list[Path]]) -> list[Path]:
    return make_images(IMAGES)


@pytest.fixture
def gallery_path(tmp_path: Path, model: Path, faces: list[Path]) -> Path:
    """Image i has id i + 1, and is of one of three people."""
    path = tmp_path / "faces.gallery"
    embedder = Embedder(model)
    with Gallery.create(path, embedder.info) as gallery:
        gallery.add(
            Record(str(face), "", embedding, {"person": f"p{number % 3}"})
            for number, (face, embedding) in enumerate(
                zip(faces, embedder.embed(faces), strict=True)
            )
        )
        gallery.model_path = model
    return path


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    playwright = pytest.importorskip("playwright.sync_api", reason="no playwright here")
    program = next(filter(None, map(shutil.which, _NAMES)), None)
    if program is None:
        pytest.skip(f"no {' or '.join(_NAMES)} here")
    arguments = [
        "--no-sandbox",
        "--use-fake-device-for-media-stream",
        "--use-fake-ui-for-media-stream",
    ]
    with playwright.sync_playwright() as driver:
        opened = driver.chromium.launch(executable_path=program, args=arguments)
        yield opened
        opened.close()


@pytest.fixture
def new_page(browser: Any) -> Iterator[Callable[..., Any]]:
    """Opens pages; fails if one of them reports an error that was not announced."""
    problems: list[str] = []
    with ExitStack() as stack:

        def new(**options: Any) -> Any:
            context = browser.new_context(**options)
            stack.callback(context.close)
            context.set_default_timeout(15_000)
            page = context.new_page()
            page.on("pageerror", lambda error: problems.append(str(error)))
            page.on(
                "console",
                lambda message: (
                    problems.append(message.text)
                    if "Content Security Policy" in message.text
                    else None
                ),
            )
            return page

        yield new
    assert problems == []


class Served:
    """The service, in a thread of its own."""

    def __init__(self, app: Any, port: int = 0) -> None:
        uvicorn = pytest.importorskip("uvicorn", reason="needs contrawarp-edge[serve]")
        self._listener = socket.create_server(("127.0.0.1", port))
        self.port = self._listener.getsockname()[1]
        self.address = f"http://127.0.0.1:{self.port}/"
        self._server = uvicorn.Server(uvicorn.Config(app, log_level="critical"))
        self._thread = threading.Thread(
            target=self._server.run, kwargs={"sockets": [self._listener]}
        )
        self._thread.start()

    def stop(self) -> None:
        self._server.force_exit = self._server.should_exit = True
        self._thread.join()
        self._listener.close()


@pytest.fixture
def serve(gallery_path: Path, model: Path) -> Iterator[Callable[..., Served]]:
    """Starts services; keyword arguments change access and limits."""
    pytest.importorskip("fastapi", reason="needs contrawarp-edge[serve]")
    from contrawarp_edge.server.app import create_app
    from contrawarp_edge.server.settings import Access, Limits

    with ExitStack() as stack:

        def start(
            *,
            port: int = 0,
            token: str | None = None,
            writable: bool = False,
            **limits: float,
        ) -> Served:
            access = Access(token=token, writable=writable)
            app = create_app(
                gallery_path, Embedder(model), access, replace(Limits(), **limits)
            )
            served = Served(app, port)
            stack.callback(served.stop)
            return served

        yield start


@pytest.fixture(scope="session")
def runtime() -> dict[str, bytes]:
    try:
        return read_runtime(None)
    except InputError as error:
        pytest.skip(str(error))


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *arguments: Any) -> None:
        pass


@pytest.fixture
def deliver() -> Iterator[Callable[[Path], str]]:
    """Delivers a folder as any static server does, and returns the address."""
    with ExitStack() as stack:

        def start(folder: Path) -> str:
            handler = functools.partial(_Quiet, directory=str(folder))
            server = stack.enter_context(ThreadingHTTPServer(("127.0.0.1", 0), handler))
            stack.callback(server.shutdown)
            threading.Thread(target=server.serve_forever, daemon=True).start()
            return f"http://127.0.0.1:{server.server_port}/"

        yield start


@pytest.fixture
def page(new_page: NewPage, serve: Serve) -> Any:
    return open_page(new_page(viewport={"width": 1200, "height": 900}), serve().address)
