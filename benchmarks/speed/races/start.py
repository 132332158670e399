"""A fresh process to its first embedding: time, memory, and what is installed."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import time
from importlib import metadata
from pathlib import Path

import torch
from PIL import Image

from benchmarks.speed.races.model import SIZE, export
from benchmarks.speed.scale import Scale
from benchmarks.speed.table import OTHER, OURS, Growth, Part, Row, Table, Target
from benchmarks.speed.timing import Spread
from lightly_contrawarp.models.checkpoint import CHECKPOINT_KEY, BackboneInfo

_EDGE, _TORCH = "contrawarp-edge", "lightly-contrawarp"
FIRST = "exported, the first time on a device"
AGAIN = "exported, from then on"
WITH_TORCH = "checkpoint, with PyTorch"
_AXIS = "MB of the exported file"

_EXPORTED = """
from contrawarp_edge import Embedder
Embedder(model).embed(image)
"""
_CHECKPOINT = """
import numpy as np, torch
from PIL import Image
from lightly_contrawarp.models.checkpoint import load_backbone
from lightly_contrawarp.export.onnx_model import EmbeddingModel
backbone, info = load_backbone(model)
with torch.inference_mode():
    EmbeddingModel(backbone, info.input_size)(
        torch.from_numpy(np.array(Image.open(image).convert("RGB")))[None])
"""
# On Linux, getrusage would count what the parent process held when it forked.
_FRAME = """
import sys
model, image = sys.argv[1:]
{work}
if sys.platform == "linux":
    lines = open("/proc/self/status").read().splitlines()
    (peak,) = [int(x.split()[1]) * 1024 for x in lines if x.startswith("VmHWM")]
else:
    import resource
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(peak)
"""


def measure(scale: Scale, device: str) -> Part:
    """Starts processes in turn."""
    part = Part()
    sizes = {name: f"{installed_bytes(name) / 1e6:,.0f} MB" for name in (_EDGE, _TORCH)}
    with tempfile.TemporaryDirectory() as scratch:
        for name in scale.started_models:
            seen = _starts(name, Path(scratch), scale.started)
            weights = (Path(scratch) / f"{name}.onnx").stat().st_size / 1e6
            part.tables += tables(name, weights, seen, sizes)
            if "mobilenet" in name:
                seconds, peak = (
                    next(row for row in table.rows if row.name == AGAIN).value.median
                    for table in part.tables[-2:]
                )
                part.targets += [
                    Target(f"{name}, {AGAIN}: seconds", 1, False, seconds),
                    Target(f"{name}, {AGAIN}: peak memory, MB", 150, False, peak),
                ]
    return part


def tables(
    name: str,
    weights: float,
    seen: dict[str, list[tuple[float, float]]],
    installed: dict[str, str],
) -> list[Table]:
    """A table of seconds and one of memory.

    Args:
        name: The encoder.
        weights: Size of the exported file in MB.
        seen: Seconds and peak bytes of processes of each kind.
        installed: Sizes of distributions, in words.
    """
    times, peaks = [], []
    for kind, runs in seen.items():
        seconds, memory = zip(*runs, strict=True)
        role = OTHER if kind == WITH_TORCH else OURS
        size = {"installed": installed[_TORCH if kind == WITH_TORCH else _EDGE]}
        times.append(Row(kind, Spread.of(seconds), extra=size, role=role))
        peak = Spread.of([size / 1e6 for size in memory])
        peaks.append(Row(kind, peak, role=role))
    title = f"{name} at {SIZE} px, a file of {weights:,.0f} MB"
    return [
        Table(f"{title}: {what}", unit, "", rows, [Growth(what, _AXIS, weights)])
        for what, unit, rows in (
            ("time to the first embedding", "s", times),
            ("peak memory", "MB", peaks),
        )
    ]


def _starts(
    name: str, folder: Path, count: int
) -> dict[str, list[tuple[float, float]]]:
    """Seconds and peak bytes of processes of each kind, in turn."""
    model, onnx = export(name, folder)
    checkpoint, image = folder / f"{name}.ckpt", folder / "face.jpg"
    info = BackboneInfo(name, model_dim(model), SIZE)
    weights = {f"backbone.{k}": v for k, v in model.backbone.state_dict().items()}
    torch.save({CHECKPOINT_KEY: info.to_dict(), "state_dict": weights}, checkpoint)
    Image.effect_noise((SIZE, SIZE), 60).convert("RGB").save(image)
    seen: dict[str, list[tuple[float, float]]] = {FIRST: [], AGAIN: [], WITH_TORCH: []}
    for turn in range(count):
        cache = folder / f"cache-{name}-{turn}"
        seen[FIRST].append(start(_EXPORTED, onnx, image, cache))
        seen[AGAIN].append(start(_EXPORTED, onnx, image, cache))
        seen[WITH_TORCH].append(start(_CHECKPOINT, checkpoint, image, cache))
    return seen


def model_dim(model: torch.nn.Module) -> int:
    """Length of the embeddings."""
    with torch.inference_mode():
        images = torch.zeros(1, SIZE, SIZE, 3, dtype=torch.uint8)
        return int(model(images).shape[1])


def start(work: str, model: Path, image: Path, cache: Path) -> tuple[float, float]:
    """Seconds and peak bytes of a process that embeds one image and ends."""
    environment = {
        **os.environ, "XDG_CACHE_HOME": str(cache), "OMP_NUM_THREADS": "1"
    }  # fmt: skip
    begin = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", _FRAME.format(work=work), str(model), str(image)],
        env=environment, capture_output=True, text=True, check=True,
    )  # fmt: skip
    seconds = time.perf_counter() - begin
    return seconds, float(done.stdout.split()[-1])


def installed_bytes(name: str) -> int:
    """Size of the files of a distribution and of all that it requires."""
    names = _closure(name)
    return sum(map(_own_bytes, names))


def _closure(name: str) -> set[str]:
    found: set[str] = set()
    waiting = [name]
    while waiting:
        one = re.sub(r"[-_.]+", "-", waiting.pop()).lower()
        if one in found:
            continue
        try:
            requires = metadata.requires(one) or []
        except metadata.PackageNotFoundError:  # for another platform
            continue
        found.add(one)
        for requirement in requires:
            wanted, _, marker = requirement.partition(";")
            if "extra" not in marker:
                waiting.append(re.split(r"[^\w.-]", wanted.strip())[0])
    return found


def _own_bytes(name: str) -> int:
    distribution = metadata.distribution(name)
    files = [Path(str(distribution.locate_file(f))) for f in distribution.files or ()]
    return sum(file.stat().st_size for file in files if file.is_file())
