"""An exported model against PyTorch, eager and compiled."""

from __future__ import annotations

import functools
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from benchmarks.speed.scale import Scale
from benchmarks.speed.table import OTHER, Growth, Part, Target, table_of_times
from benchmarks.speed.timing import limited_threads, race, ratio
from contrawarp_edge import Embedder
from lightly_contrawarp.data.synthetic import save_drawn_faces
from lightly_contrawarp.export.int8.build import int8_path
from lightly_contrawarp.export.int8.calibration import MIN_IMAGES
from lightly_contrawarp.export.int8.static import quantize
from lightly_contrawarp.export.onnx_model import (
    EmbeddingModel,
    export_onnx,
    with_metadata,
)
from lightly_contrawarp.models.backbones import build_backbone
from lightly_contrawarp.models.checkpoint import BackboneInfo

SIZE = 112
EAGER, COMPILED = "PyTorch eager", "PyTorch compiled"
FP32, INT8 = "exported, fp32", "exported, int8"
_WANTED = {32: 2.0, 1: 2.5}


def measure(scale: Scale, device: str) -> Part:
    """Races at all batches on one thread, at the smallest and largest on all cores."""
    part = Part()
    compiles = shutil.which("g++") is not None
    if not compiles:
        part.notes.append(f"{COMPILED}: not measured, no C++ compiler.")
    compiles = compiles and scale.name != "smoke"
    with tempfile.TemporaryDirectory() as scratch:
        for name in scale.models:
            model, fp32 = export(name, Path(scratch))
            int8 = to_int8(fp32)
            cores = 1 if scale.name == "smoke" else os.cpu_count() or 1
            for threads in sorted({1, cores}):
                ends = scale.model_batches[:: len(scale.model_batches) - 1]
                for batch in scale.model_batches if threads == 1 else ends:
                    # Each number of threads and each batch compile anew: too long.
                    compiled = compiles and threads == 1 and batch in ends
                    with limited_threads(threads):
                        calls = contenders(model, fp32, int8, batch, threads, compiled)
                        times = race(calls, seconds=scale.seconds, rounds=scale.rounds)
                    title = f"{name} at {SIZE} px, batch {batch}, {threads} thread(s)"
                    growth = Growth(f"{name}, one thread", "images a batch", batch)
                    part.tables.append(
                        table_of_times(
                            title, times, EAGER, per=batch,
                            roles={EAGER: OTHER, COMPILED: OTHER},
                            growth=[growth] if threads == 1 else [],
                        )
                    )  # fmt: skip
                    if threads == 1 and batch in _WANTED:
                        part.targets.append(
                            Target(f"{title}: {EAGER} / {FP32}", _WANTED[batch], True,
                                   ratio(times, EAGER, FP32).median)
                        )  # fmt: skip
    return part


def export(name: str, folder: Path) -> tuple[EmbeddingModel, Path]:
    """An untrained encoder in PyTorch, and exported."""
    model, content = _exported(name)
    path = folder / f"{name}.onnx"
    path.write_bytes(content)
    return model, path


@functools.cache
def _exported(name: str) -> tuple[EmbeddingModel, bytes]:
    """Two parts of the benchmark share what takes a while."""
    torch.manual_seed(0)
    backbone, dim = build_backbone(name)
    backbone.eval()
    info = BackboneInfo(name=name, dim=dim, input_size=SIZE)
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "model.onnx"
        export_onnx(backbone, info, path, [Image.new("RGB", (SIZE, SIZE))])
        return EmbeddingModel(backbone, SIZE).eval(), path.read_bytes()


def to_int8(fp32: Path) -> Path:
    """The int8 model beside an exported one, calibrated on drawn faces."""
    faces = fp32.parent / "faces"
    save_drawn_faces(
        faces, MIN_IMAGES, num_identities=4, seed=0, size=SIZE, labelled=False
    )
    small = quantize(fp32, Embedder(fp32).info, sorted(faces.glob("*.jpg")))
    path = int8_path(fp32)
    path.write_bytes(with_metadata(small.content, small.info))
    return path


def contenders(
    model: EmbeddingModel,
    fp32: Path,
    int8: Path,
    batch: int,
    threads: int,
    compiles: bool,
) -> dict[str, Callable[[], object]]:
    """What embeds a batch of uint8 images, each on so many threads."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (batch, SIZE, SIZE, 3), dtype=np.uint8)
    tensor, listed = torch.from_numpy(images), list(images)
    compiled = torch.compile(model, dynamic=False) if compiles else None

    def run(module: Callable[[torch.Tensor], torch.Tensor]) -> None:
        with torch.inference_mode():
            module(tensor)

    calls: dict[str, Callable[[], object]] = {EAGER: lambda: run(model)}
    if compiled is not None:
        calls[COMPILED] = lambda: run(compiled)
    for name, path in ((FP32, fp32), (INT8, int8)):
        embedder = Embedder(path, batch_size=batch, threads=threads)
        calls[name] = lambda e=embedder: e.embed(listed)  # type: ignore[misc]
    return calls
