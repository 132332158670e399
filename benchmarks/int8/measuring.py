"""What 8 bits cost and gain: neighbours, accuracy, size and speed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.facts import commit, hardware, vnni
from benchmarks.int8.scale import Scale
from benchmarks.speed.timing import Spread, race, ratio
from contrawarp_edge import Embedder
from contrawarp_edge.core.files import atomic_write
from contrawarp_edge.core.progress import Progress
from contrawarp_edge.inputs.images import read_rgb
from lightly_contrawarp.data.labelled import LabelledFolder, LabelledImages
from lightly_contrawarp.evaluation.measures.linear_probe import linear_probe
from lightly_contrawarp.evaluation.versions import versions
from lightly_contrawarp.export.bundle import ExportRequest, export
from lightly_contrawarp.export.int8.agreement import measure_agreement
from lightly_contrawarp.export.int8.build import int8_path
from lightly_contrawarp.export.int8.calibration import SEED, ImageSample, draw_sample
from lightly_contrawarp.export.int8.report import Int8Report
from lightly_contrawarp.export.int8.speed import BATCHES, THREADS
from lightly_contrawarp.export.int8.static import quantize
from lightly_contrawarp.export.int8.weight_only import quantize_weights
from lightly_contrawarp.export.onnx_model import with_metadata

FP32, BOTH, WEIGHTS = "fp32", "weights and activations", "weights"
"""The models that are compared: none, all or some of the numbers have 8 bits."""

_PROBE_SEED = 0
_PARITY_IMAGES = 16


def measure(checkpoint: Path, data: Path, scale: Scale, folder: Path) -> dict[str, Any]:
    """Exports an encoder as the command does, and measures both kinds of 8 bits.

    Args:
        checkpoint: The encoder.
        data: Holds ``train/CLASS/*`` and ``validation/CLASS/*``.
        scale: How many images and rounds.
        folder: Where the ``.onnx`` files go.

    Returns:
        Plain values.
    """
    sample = draw_sample(data / "validation")
    report, paths = _export(checkpoint, sample, folder)
    models = {kind: Embedder(path) for kind, path in paths.items()}
    agreements = {}
    for kind in (BOTH, WEIGHTS):
        progress = Progress(2 * len(sample.held_out))
        agreements[kind], _ = measure_agreement(
            models[FP32], models[kind], sample.held_out, on_progress=progress.update
        )
        progress.clear()
    probes = _probe(models, data, scale)
    speeds = _speeds(paths, scale)
    return {
        "chosen": report.to_dict()["quantized"],
        "refused": not report.is_close,
        "calibrated_on": len(sample.calibration),
        "models": {
            kind: {
                "bytes": path.stat().st_size,
                "agreement": asdict(agreements[kind]) if kind in agreements else None,
                "probe": probes[kind],
                "speed": speeds[kind],
            }
            for kind, path in paths.items()
        },
        "seeds": {"calibration": SEED, "probe": _PROBE_SEED},
        "threads": THREADS,
        "vnni": vnni(),
        "commit": commit(),
        "versions": versions(),
        "hardware": hardware(),
    }


def _export(
    checkpoint: Path, sample: ImageSample, folder: Path
) -> tuple[Int8Report, dict[str, Path]]:
    """What the command writes, and the kind of 8-bit model that it does not."""
    path = folder / "model.onnx"
    request = ExportRequest(onnx=path, int8_images=sample, force=True, card=False)
    images = sample.held_out[:_PARITY_IMAGES]
    report = export(checkpoint, request, lambda: [read_rgb(one) for one in images]).int8
    assert report is not None  # it was asked for
    info = Embedder(path).info
    if report.calibrated_on:
        chosen, other = BOTH, WEIGHTS
        made = quantize_weights(path, info)
    else:
        chosen, other = WEIGHTS, BOTH
        progress = Progress(len(sample.calibration))
        made = quantize(path, info, sample.calibration, on_progress=progress.update)
        progress.clear()
    passed_over = folder / "passed_over.onnx"
    atomic_write(passed_over, with_metadata(made.content, made.info))
    return report, {FP32: path, chosen: int8_path(path), other: passed_over}


def _probe(
    models: Mapping[str, Embedder], data: Path, scale: Scale
) -> dict[str, dict[str, Any]]:
    """Linear probe of each model: learns from some of ``train``."""
    train, test = LabelledFolder(data / "train"), LabelledFolder(data / "validation")
    order = torch.randperm(
        len(train), generator=torch.Generator().manual_seed(_PROBE_SEED)
    )
    some = order[: scale.probe_images].tolist()
    found = {}
    for kind, model in models.items():
        result = linear_probe(
            *_features(model, train, some),
            *_features(model, test, range(len(test))),
            seeds=(_PROBE_SEED,),
            num_classes=len(train.classes),
        )
        found[kind] = {"accuracy": result.accuracy, "interval": result.interval}
    return found


def _features(
    model: Embedder, images: LabelledImages, rows: Sequence[int]
) -> tuple[Any, Any]:
    """Embeddings ``[N, D]`` and classes ``[N]``."""
    values = model.embed(Path(images.names[row]) for row in rows)
    return values, np.array([images.labels[row] for row in rows])


def _speeds(paths: Mapping[str, Path], scale: Scale) -> dict[str, list[Any]]:
    """Times of all models, which take turns, for each size of a batch."""
    models = {kind: Embedder(path, threads=THREADS) for kind, path in paths.items()}
    size = models[FP32].info.input_size
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (size, size, 3), dtype=np.uint8)
    found: dict[str, list[Any]] = {kind: [] for kind in models}
    for batch in BATCHES:
        listed = [image] * batch
        times = race(
            {kind: partial(model.embed, listed) for kind, model in models.items()},
            seconds=scale.seconds,
            rounds=scale.rounds,
        )
        for kind, seconds in times.items():
            milliseconds = [1000 * one / batch for one in seconds]
            found[kind].append(
                {
                    "batch": batch,
                    "ms": Spread.of(milliseconds),
                    "times_as_fast": ratio(times, FP32, kind),
                }
            )
    return found
