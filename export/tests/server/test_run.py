"""The command, as a process of its own."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

import pytest
from click.testing import CliRunner, Result

from contrawarp_edge.cli import main

COMMAND = [sys.executable, "-c", "from contrawarp_edge.cli import main; main()"]


class Served:
    """A running service."""

    def __init__(self, process: subprocess.Popen[str], line: str) -> None:
        self.process = process
        self.line = line
        match = re.search(r"http://([\d.]+):(\d+)/(?:#token=(\S+))?", line)
        assert match, line
        self.host, self.port, self.token = match[1], int(match[2]), match[3]

    def get(self, path: str, **headers: str) -> Any:
        url = f"http://127.0.0.1:{self.port}{path}"
        request = urllib.request.Request(url, headers=headers)
        with urllib.request.urlopen(request, timeout=300) as answer:
            return json.load(answer)

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=300)

    def stop(self, number: int = signal.SIGTERM) -> tuple[int, str]:
        self.process.send_signal(number)
        _, errors = self.process.communicate(timeout=300)
        return self.process.returncode, errors


def first_line(stream: IO[str] | None) -> str:
    assert stream is not None
    return stream.readline()


@pytest.fixture
def serve(gallery_path: Path) -> Iterator[Callable[..., Served]]:
    started: list[subprocess.Popen[str]] = []

    def start(*options: str) -> Served:
        process = subprocess.Popen(
            [*COMMAND, "serve", str(gallery_path), "--port", "0", *options],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
        )
        started.append(process)
        return Served(process, first_line(process.stdout))

    yield start
    for process in started:
        with suppress(ProcessLookupError):
            process.kill()
        process.communicate()


def head(length: int, expect: str = "") -> bytes:
    return (
        "POST /api/search HTTP/1.1\r\nHost: localhost\r\n"
        f"Content-Type: application/json\r\nContent-Length: {length}\r\n{expect}\r\n"
    ).encode()


def answer_of(connection: socket.socket) -> tuple[int, Any]:
    data = b""
    while part := connection.recv(65536):
        data += part
        top, found, body = data.partition(b"\r\n\r\n")
        size = re.search(rb"content-length: (\d+)", top)
        if found and size and len(body) == int(size[1]):
            return int(data.split()[1]), json.loads(body)
    raise AssertionError(f"no whole answer: {data!r}")


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_start_and_stop(
    serve: Callable[..., Served], gallery_path: Path, number: int
) -> None:
    served = serve()
    assert served.line.startswith(f"{gallery_path}: 30 images at http://127.0.0.1:")
    assert served.token is None
    assert served.get("/api/stats")["images"] == 30
    assert served.stop(number) == (0, "")
    beside = sorted(path.name for path in gallery_path.parent.iterdir())
    assert beside == ["faces", "faces.gallery", "model.onnx"]  # no -wal, no -shm


@pytest.mark.slow
def test_requests_that_began_are_ended(serve: Callable[..., Served]) -> None:
    served = serve()
    body = b'{"like": [{"id": 1}], "k": 3}'
    with served.connect() as connection:
        connection.sendall(head(len(body), "Expect: 100-continue\r\n") + body[:10])
        assert b" 100 " in connection.recv(1000)  # the request is being answered
        served.process.send_signal(signal.SIGTERM)
        time.sleep(0.5)
        assert served.process.poll() is None
        with pytest.raises(OSError, match=r"refused|reset"):
            served.connect().recv(1)
        connection.sendall(body[10:])
        status, answer = answer_of(connection)
    assert (status, len(answer["hits"])) == (200, 3)
    served.process.communicate(timeout=300)
    assert served.process.returncode == 0


@pytest.mark.slow
def test_slow_client_is_let_go(serve: Callable[..., Served]) -> None:
    served = serve("--timeout", "1")
    with served.connect() as connection:
        connection.sendall(head(1000) + b"{")
        start = time.monotonic()
        status, answer = answer_of(connection)
        assert time.monotonic() - start > 0.5
    assert status == 408
    assert "longer than 1 s" in answer["error"]
    assert served.get("/api/health") == {"status": "ok"}
    assert served.stop() == (0, "")


@pytest.mark.slow
def test_large_upload_is_not_read(serve: Callable[..., Served]) -> None:
    served = serve("--max-upload-mb", "1")
    with served.connect() as connection:
        connection.sendall(head(10**9))
        status, answer = answer_of(connection)
    assert status == 413
    assert "1 MB" in answer["error"]
    assert served.stop() == (0, "")


@pytest.mark.slow
def test_others_need_the_token(serve: Callable[..., Served]) -> None:
    served = serve("--host", "0.0.0.0")
    assert served.host == "0.0.0.0"
    assert len(served.token) >= 32
    with pytest.raises(urllib.error.HTTPError) as caught:
        served.get("/api/stats")
    assert caught.value.code == 401
    caught.value.close()
    stats = served.get("/api/stats", Authorization=f"Bearer {served.token}")
    assert stats["images"] == 30
    code, errors = served.stop()
    assert code == 0
    assert errors.startswith("The connection is not encrypted")
    assert serve("--host", "0.0.0.0").token != served.token


@pytest.mark.slow
def test_allowed_host(serve: Callable[..., Served]) -> None:
    served = serve("--allowed-host", "Faces.example")
    assert served.get("/api/health", Host="faces.example:80") == {"status": "ok"}
    with pytest.raises(urllib.error.HTTPError) as caught:
        served.get("/api/health", Host="other.example")
    assert caught.value.code == 421
    caught.value.close()


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def one_line_error(result: Result, *parts: str) -> None:
    assert result.exit_code == 2, result.output
    *_, line = result.stderr.splitlines()
    assert line.startswith("Error: ")
    for part in parts:
        assert part in line


def test_errors(
    gallery_path: Path, model: Path, make_model: Callable[..., Path], tmp_path: Path
) -> None:
    one_line_error(run("serve", tmp_path / "none"), "none: no such gallery")
    one_line_error(run("serve", model), "not a gallery")
    short = run("serve", gallery_path, "--token", "short")
    one_line_error(short, "--token", "16 characters")
    other = make_model("other.onnx", seed=1)
    one_line_error(run("serve", gallery_path, "--model", other), "made with model")
    one_line_error(
        run("serve", gallery_path, "--host", "no.such.host.invalid"), "cannot listen"
    )
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        one_line_error(run("serve", gallery_path, "--port", port), str(port), "--port")
    model.unlink()
    one_line_error(run("serve", gallery_path), "model.onnx is gone", "--model")


@pytest.mark.parametrize("module", ["fastapi", "uvicorn", "python_multipart"])
def test_without_the_extra(
    gallery_path: Path, monkeypatch: pytest.MonkeyPatch, module: str
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    result = run("serve", gallery_path)
    one_line_error(result, module, "pip install 'contrawarp-edge[serve]'")
