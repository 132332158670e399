"""All parts: which there are, where they run, and doing those that are wanted."""

from __future__ import annotations

import importlib
import json
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from benchmarks.facts import commit, hardware
from benchmarks.speed.scale import SCALES
from benchmarks.speed.table import Part
from contrawarp_edge.core.errors import InputError
from contrawarp_edge.core.files import atomic_write_text
from lightly_contrawarp.evaluation.versions import versions


@dataclass(frozen=True)
class Kind:
    """A part of the benchmark.

    Attributes:
        name: Module in `races`, and name on the command line.
        title: What is measured.
        devices: Where it can be measured.
    """

    name: str
    title: str
    devices: tuple[str, ...] = ("cpu",)


_BOTH = ("cpu", "cuda")
KINDS = (
    Kind("warp", "One warped negative", _BOTH),
    Kind("views", "Views a second", _BOTH),
    Kind("step", "A training step", _BOTH),
    Kind("files", "From files to weights", _BOTH),
    Kind("model", "An exported model"),
    Kind("start", "A fresh process"),
    Kind("search", "Searching a gallery"),
)
NAMES = tuple(kind.name for kind in KINDS)


def measure_parts(
    names: Sequence[str], folder: Path, smoke: bool, data: Path | None
) -> None:
    """Measures parts and keeps what comes out.

    Args:
        names: Which.
        folder: A file for each part and device goes there.
        smoke: Whether to measure next to nothing.
        data: Image files for the part that reads files.
    """
    devices = ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]
    for kind in KINDS:
        for device in devices:
            if kind.name in names and device in kind.devices:
                _measure(kind, device, folder, smoke, data)


def _measure(
    kind: Kind, device: str, folder: Path, smoke: bool, data: Path | None
) -> None:
    module = importlib.import_module(f"benchmarks.speed.races.{kind.name}")
    extra = {"data": data} if kind.name == "files" else {}
    start = time.perf_counter()
    part: Part = module.measure(SCALES["smoke" if smoke else device], device, **extra)
    result = {
        **asdict(part),
        "commit": commit(),
        "versions": versions(),
        "hardware": hardware(),
        "seconds": time.perf_counter() - start,
    }
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps(result, indent=2) + "\n"
    atomic_write_text(result_path(folder, kind.name, device), text)


def result_path(folder: Path, name: str, device: str) -> Path:
    """Where the result of a part on a device is kept."""
    return folder / f"{name}-{device}.json"


def read_results(folder: Path) -> dict[tuple[str, str], dict[str, Any]]:
    """All results that are there, by part and device.

    Raises:
        InputError: If there is none.
    """
    found = {}
    for kind in KINDS:
        for device in kind.devices:
            path = result_path(folder, kind.name, device)
            if path.exists():
                found[kind.name, device] = dict(json.loads(path.read_text()))
    if not found:
        raise InputError(f"{folder}: no result to write about; measure something first")
    return found
