"""Everything that is exported from a checkpoint, written together or not at all."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from PIL import Image
from torch import nn

from contrawarp_edge.core.errors import InputError
from contrawarp_edge.core.files import Stage, staged_files
from lightly_contrawarp.export.int8.build import LabelledParts, int8_path, stage_int8
from lightly_contrawarp.export.int8.calibration import ImageSample
from lightly_contrawarp.export.int8.report import Int8Report
from lightly_contrawarp.export.model_card import (
    CardFile,
    check_replaceable,
    read_evaluation,
    render_card,
    select_results,
)
from lightly_contrawarp.export.onnx_model import stage_onnx
from lightly_contrawarp.export.safetensors_file import to_safetensors
from lightly_contrawarp.models.checkpoint import (
    BackboneInfo,
    load_backbone,
    training_facts,
)
from lightly_contrawarp.models.fingerprint import fingerprint_of


@dataclass(frozen=True)
class ExportRequest:
    """What to write; None leaves it out.

    Attributes:
        onnx: The ``.onnx`` file.
        int8_images: Images for an int8 model beside it.
        labelled: A training and a test set to evaluate both models on.
        report: JSON file for what the int8 model was measured to be.
        force: Whether to write it whatever it loses.
        safetensors: File for the weights alone.
        evaluation: Results of ``contrawarp evaluate --json`` for the card.
        card: Whether to write a model card.
    """

    onnx: Path | None
    int8_images: ImageSample | None = None
    labelled: LabelledParts | None = None
    report: Path | None = None
    force: bool = False
    safetensors: Path | None = None
    evaluation: Path | None = None
    card: bool = True

    @property
    def card_path(self) -> Path | None:
        """Beside the exported file, under its name."""
        beside = self.onnx or self.safetensors
        return beside.with_suffix(".md") if self.card and beside else None


@dataclass
class Exported:
    """What was written.

    Attributes:
        lines: A line or two about each file.
        files: The model files.
        int8: What quantisation changed, if there is an int8 model.
        unreadable: A line for each image that was left out.
    """

    lines: list[str] = field(default_factory=list)
    files: list[CardFile] = field(default_factory=list)
    int8: Int8Report | None = None
    unreadable: list[str] = field(default_factory=list)


def export(
    checkpoint: Path,
    request: ExportRequest,
    parity_images: Callable[[], Sequence[Image.Image]],
) -> Exported:
    """Writes what was asked for; if something fails, nothing.

    Args:
        checkpoint: The ``.ckpt`` file.
        request: What to write.
        parity_images: Gives RGB images to compare the ``.onnx`` file with PyTorch on.

    Raises:
        InputError: If something that was given cannot be used, a file cannot be
            written, or a model is not what it should be.
    """
    _check_distinct(request)
    if request.card_path:
        check_replaceable(request.card_path)
    backbone, info = load_backbone(checkpoint)
    done = Exported()
    with staged_files() as stage:
        if request.safetensors:
            _stage_safetensors(backbone, info, request.safetensors, stage, done)
        if request.onnx:
            _stage_models(backbone, info, request, parity_images(), stage, done)
        if request.report and done.int8:
            text = json.dumps(done.int8.to_dict(), indent=2, allow_nan=False) + "\n"
            stage(request.report, text.encode())
        if request.card_path:
            card = _card(checkpoint, backbone, info, request, done)
            stage(request.card_path, card.encode())
            done.lines.append(f"{request.card_path}: model card")
    return done


def _check_distinct(request: ExportRequest) -> None:
    """Several files to write, and one that is read, must not be the same."""
    paths = [
        *(path for path in (request.onnx, request.safetensors, request.report) if path),
        *(path for path in (request.card_path, request.evaluation) if path),
    ]
    if request.onnx and request.int8_images:
        paths.append(int8_path(request.onnx))
    if repeated := [path for path in paths if paths.count(path) > 1]:
        raise InputError(f"{repeated[0]}: is named for two files; give each its own")


def _card(
    checkpoint: Path,
    backbone: nn.Module,
    info: BackboneInfo,
    request: ExportRequest,
    done: Exported,
) -> str:
    fingerprints = {file.fingerprint for file in done.files}
    fingerprints.add(fingerprint_of(backbone))
    measured = []
    if request.evaluation:
        measured.append(read_evaluation(request.evaluation, fingerprints))
    if done.int8 and done.int8.tasks:
        measured.append(select_results(done.int8.tasks, fingerprints))
    return render_card(
        info,
        training_facts(checkpoint),
        done.files,
        int8=done.int8,
        measured=measured,
    )


def _stage_safetensors(
    backbone: nn.Module, info: BackboneInfo, path: Path, stage: Stage, done: Exported
) -> None:
    content = to_safetensors(backbone, info)
    stage(path, content)
    fingerprint = fingerprint_of(backbone)
    done.files.append(CardFile(path.name, "fp32", len(content), fingerprint))
    done.lines.append(f"{path}: {info.name}, weights, {len(content) / 1e6:.1f} MB")


def _stage_models(
    backbone: nn.Module,
    info: BackboneInfo,
    request: ExportRequest,
    images: Sequence[Image.Image],
    stage: Stage,
    done: Exported,
) -> None:
    path = request.onnx
    assert path is not None  # the caller looked
    fp32, parity = stage_onnx(backbone, info, path, images, stage)
    size, model = fp32.path.stat().st_size, fp32.info
    done.files.append(CardFile(path.name, "fp32", size, model.fingerprint))
    done.lines += [
        f"{path}: {model.backbone}, {model.input_size} px, {model.dim} dimensions, "
        f"{size / 1e6:.1f} MB, fingerprint {model.short_fingerprint}",
        f"parity with PyTorch on {parity.images} images: largest difference "
        f"{parity.max_difference:.1e}, lowest cosine {parity.min_cosine:.7f}",
    ]
    if request.int8_images is None:
        return
    report = done.int8 = stage_int8(
        fp32,
        path,
        request.int8_images,
        stage,
        labelled=request.labelled,
        force=request.force,
    )
    int8 = report.int8
    done.files.append(
        CardFile(int8.path.name, "int8", int8.size, int8.info.fingerprint)
    )
    done.lines.append(
        f"{int8.path}: int8, {int8.size / 1e6:.1f} MB, "
        f"fingerprint {int8.info.short_fingerprint}"
    )
    done.unreadable += report.unreadable
    if report.tasks:
        done.unreadable += report.tasks.data.unreadable
