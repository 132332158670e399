"""Files and folders stay small enough to be read, and every module can be imported."""

from __future__ import annotations

import importlib
import pkgutil
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MOST_LINES = 300
MOST_MODULES = 12
PLACES = ("lightly_contrawarp", "export", "tests", "benchmarks", "examples")
FILES = [path for place in PLACES for path in (ROOT / place).rglob("*.py")]


def test_no_file_is_long() -> None:
    lines = {path: len(path.read_text().splitlines()) for path in FILES}
    assert not {str(path): n for path, n in lines.items() if n > MOST_LINES}


def test_no_folder_of_a_package_is_full() -> None:
    for package in ("lightly_contrawarp", "export/contrawarp_edge", "benchmarks"):
        for folder in {path.parent for path in (ROOT / package).rglob("*.py")}:
            modules = [p for p in folder.glob("*.py") if not p.name.startswith("__")]
            assert len(modules) <= MOST_MODULES, folder


@pytest.mark.parametrize("package", ["lightly_contrawarp", "contrawarp_edge"])
def test_every_module_can_be_imported(package: str) -> None:
    root = importlib.import_module(package)
    for module in pkgutil.walk_packages(root.__path__, f"{package}."):
        importlib.import_module(module.name)
