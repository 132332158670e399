"""From an exported fp32 model to an int8 one, with a report on what that changed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TypeAlias

import numpy as np

from contrawarp_edge import Embedder, InputError
from contrawarp_edge.core.files import Stage
from contrawarp_edge.core.progress import Progress
from lightly_contrawarp.data.labelled import LabelledImages
from lightly_contrawarp.evaluation.compare import compare
from lightly_contrawarp.evaluation.encoders.encoders import OnnxEncoder
from lightly_contrawarp.evaluation.progress import EvaluationProgress
from lightly_contrawarp.evaluation.results import Results
from lightly_contrawarp.evaluation.settings import EvaluationSettings
from lightly_contrawarp.evaluation.versions import versions
from lightly_contrawarp.export.exported_file import ExportedFile
from lightly_contrawarp.export.int8.agreement import Agreement, measure_agreement
from lightly_contrawarp.export.int8.calibration import SEED, ImageSample
from lightly_contrawarp.export.int8.report import (
    ENOUGH_OVERLAP,
    MIN_OVERLAP,
    Int8Report,
)
from lightly_contrawarp.export.int8.speed import measure_speed
from lightly_contrawarp.export.int8.static import Quantized, quantize
from lightly_contrawarp.export.int8.weight_only import quantize_weights
from lightly_contrawarp.export.onnx_model import with_metadata

LabelledParts: TypeAlias = tuple[LabelledImages, LabelledImages]


def int8_path(path: Path) -> Path:
    """Where the int8 model stands beside an fp32 one.

    >>> int8_path(Path("model.onnx")).name
    'model.int8.onnx'
    """
    return path.with_name(f"{path.stem}.int8{path.suffix}")


def stage_int8(
    fp32: Embedder,
    path: Path,
    sample: ImageSample,
    stage: Stage,
    *,
    labelled: LabelledParts | None = None,
    force: bool = False,
) -> Int8Report:
    """Quantises a model and measures what that changed; progress goes to stderr.

    Weights and activations are quantised. If that model shares fewer than
    `ENOUGH_OVERLAP` of the nearest neighbours, only weights are.

    Args:
        fp32: The fp32 model, where it waits.
        path: Where that model will be; see `int8_path` for the int8 one.
        sample: Images to calibrate and to compare on.
        stage: Writes files; see `staged_files`.
        labelled: A training and a test set to evaluate both models on.
        force: Whether to accept any loss of neighbours.

    Returns:
        What was measured.

    Raises:
        InputError: If the images are too few, the network cannot be quantised, or
            the models share fewer than `MIN_OVERLAP` of the nearest neighbours.
    """
    target = int8_path(path)

    def stage_and_compare(one: Quantized) -> tuple[Embedder, Agreement, list[str]]:
        embedder = Embedder(stage(target, with_metadata(one.content, one.info)))
        progress = Progress(2 * len(sample.held_out))
        found, unreadable = measure_agreement(
            fp32, embedder, sample.held_out, on_progress=progress.update
        )
        progress.clear()
        return embedder, found, one.unreadable + unreadable

    progress = Progress(len(sample.calibration))
    quantized = quantize(
        fp32.path, fp32.info, sample.calibration, on_progress=progress.update
    )
    progress.clear()
    int8, agreement, unreadable = stage_and_compare(quantized)
    passed_over = None
    if agreement.overlap.value < ENOUGH_OVERLAP:
        passed_over = agreement
        quantized = quantize_weights(fp32.path, fp32.info)
        int8, agreement, _ = stage_and_compare(quantized)
    if agreement.overlap.value < MIN_OVERLAP and not force:
        raise InputError(
            f"{target}: not written, because it finds only "
            f"{agreement.overlap.value:.3f} of the ten nearest images that fp32 finds, "
            f"less than {MIN_OVERLAP:.2f}; --force writes it nevertheless"
        )
    size = fp32.info.input_size
    noise = np.random.default_rng(0).integers(0, 256, (size, size, 3), dtype=np.uint8)
    return Int8Report(
        fp32=ExportedFile.of(fp32, path),
        int8=ExportedFile.of(int8, target),
        folder=sample.folder,
        calibrated_on=quantized.images,
        seed=SEED,
        agreement=agreement,
        passed_over=passed_over,
        unreadable=unreadable,
        speed=measure_speed(fp32.path, int8.path, noise),
        tasks=_tasks({path: fp32, target: int8}, labelled) if labelled else None,
        versions=versions(),
    )


def _tasks(models: dict[Path, Embedder], labelled: LabelledParts) -> Results:
    encoders = {path.name: OnnxEncoder(one.path) for path, one in models.items()}
    results = compare(
        encoders, *labelled, EvaluationSettings(), progress=EvaluationProgress()
    ).results
    placed = {}
    for path in models:  # not where the files wait
        one = results.encoders[path.name]
        placed[path.name] = replace(one, encoder=replace(one.encoder, source=str(path)))
    return replace(results, encoders=placed)
