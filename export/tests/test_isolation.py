"""The package has to work, and start quickly, where PyTorch is not installed."""

from __future__ import annotations

import os
import subprocess
import sys
import venv
from collections.abc import Callable
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[1]

PROGRAM = """
import sys
import contrawarp_edge
assert "onnxruntime" not in sys.modules
from contrawarp_edge.cli import main
model, faces, query, gallery, page = sys.argv[1:]
for command in (
    ["embed", model, faces, "--gallery", gallery],
    ["info", gallery],
    ["search", gallery, query, "--html", page],
):
    assert not main(command, standalone_mode=False)
loaded = {name.partition(".")[0] for name in sys.modules}
unwanted = {"torch", "torchvision", "lightly", "lightly_contrawarp", "onnx", "sklearn"}
unwanted |= {"fastapi", "pydantic", "uvicorn"}
assert not loaded & unwanted, loaded & unwanted
"""


@pytest.fixture
def arguments(
    model: Path, tmp_path: Path, make_images: Callable[..., list[Path]]
) -> list[Path]:
    query = make_images(3)[0]
    outputs = [tmp_path / "a.gallery", tmp_path / "hits.html"]
    return [model, tmp_path / "faces", query, *outputs]


def test_no_heavy_imports(arguments: list[Path]) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *arguments], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


def test_no_telemetry(arguments: list[Path], tmp_path: Path) -> None:
    model, _, query, *_ = arguments
    program = (
        "import sys, contrawarp_edge as c; c.Embedder(sys.argv[1]).embed(sys.argv[2])"
    )
    quiet = ("CI", "ORT_DISABLE_TELEMETRY", "ORT_RUNNING_UNIT_TESTS")
    environment = {key: os.environ[key] for key in os.environ.keys() - set(quiet)}
    cache = tmp_path / "cache"
    environment["XDG_CACHE_HOME"] = environment["HOME"] = str(cache)
    subprocess.run(
        [sys.executable, "-c", program, model, query], check=True, env=environment
    )
    assert not cache.exists()  # onnxruntime would keep an identifier of the device


@pytest.mark.slow
def test_fresh_environment(arguments: list[Path], tmp_path: Path) -> None:
    root = tmp_path / "venv"
    venv.create(root, with_pip=True)
    scripts = root / ("Scripts" if sys.platform == "win32" else "bin")
    python, command = scripts / "python", scripts / "contrawarp-edge"
    install = [python, "-m", "pip", "install", "-q", "--no-compile", PROJECT]
    subprocess.run(install, check=True)  # of which little is imported here
    absent = subprocess.run([python, "-c", "import torch"], capture_output=True)
    assert absent.returncode == 1
    assert b"No module named 'torch'" in absent.stderr
    model, faces, query, gallery, page = arguments
    subprocess.run([command, "embed", model, faces, "--gallery", gallery], check=True)
    done = subprocess.run(
        [command, "search", gallery, query, "--html", page],
        check=True,
        capture_output=True,
        text=True,
    )
    assert str(query) in done.stdout.splitlines()[1]
    assert page.stat().st_size > 1000
    done = subprocess.run([command, "serve", gallery], capture_output=True, text=True)
    assert done.returncode == 2
    assert "pip install 'contrawarp-edge[serve]'" in done.stderr
