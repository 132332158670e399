"""Everything that is exported from a checkpoint, written together or not at all."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from PIL import Image
from torch import nn

from contrawarp_edge.core.errors import InputError
from contrawarp_edge.core.files import staged_files
from lightly_contrawarp.data.labelled import LabelledImages
from lightly_contrawarp.export.embedding import Choice, choose_network
from lightly_contrawarp.export.exported_file import ExportedFile
from lightly_contrawarp.export.int8.build import LabelledParts, int8_path, stage_int8
from lightly_contrawarp.export.int8.calibration import ImageSample
from lightly_contrawarp.export.int8.report import Int8Report
from lightly_contrawarp.export.model_card import (
    check_replaceable,
    read_evaluation,
    render_card,
    select_results,
)
from lightly_contrawarp.export.onnx_model import Labels, Parity, stage_onnx
from lightly_contrawarp.export.recognition import Recognition, fit_recognition
from lightly_contrawarp.export.safetensors_file import to_safetensors
from lightly_contrawarp.models.checkpoint import (
    BackboneInfo,
    load_classifier,
    training_facts,
)
from lightly_contrawarp.models.embedding.network import EmbeddingNetwork, describe
from lightly_contrawarp.models.fingerprint import fingerprint_of


@dataclass(frozen=True)
class ExportRequest:
    """What to write; None leaves it out.

    Attributes:
        onnx: The ``.onnx`` file.
        choice: Which embedding of the checkpoint.
        labels: Labelled images to fit a classifier to; None takes the checkpoint's, if
            it has one.
        teach: Whether these labels shape the embedding too.
        int8_images: Images for an int8 model beside it.
        labelled: A training and a test set to evaluate both models on.
        report: JSON file for what the int8 model was measured to be.
        force: Whether to write it whatever it loses.
        safetensors: File for the weights alone.
        evaluation: Results of ``contrawarp evaluate --json`` for the card.
        card: Whether to write a model card.
    """

    onnx: Path | None
    choice: Choice = field(default_factory=Choice)
    labels: LabelledImages | None = None
    teach: bool = False
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
        encoder: What it was made of, with the dimensions of the embedding.
        embedding: What the embedding is, in words.
        has_head: Whether a head makes it.
        unfitted: A line for each image that no head could be fitted to.
        weights: The weights alone.
        onnx: The fp32 model.
        parity: How far it agrees with PyTorch.
        int8: What quantisation changed, if there is an int8 model.
        card: The model card.
        recognition: The classifier in the fp32 model, if there is one.
    """

    encoder: BackboneInfo
    embedding: str
    has_head: bool
    unfitted: list[str]
    weights: ExportedFile | None = None
    onnx: ExportedFile | None = None
    parity: Parity | None = None
    int8: Int8Report | None = None
    card: Path | None = None
    recognition: Recognition | None = None

    @property
    def files(self) -> list[ExportedFile]:
        """All that hold weights."""
        files = (self.weights, self.onnx, self.int8 and self.int8.int8)
        return [file for file in files if file]

    @property
    def unreadable(self) -> list[str]:
        """A line for each image that was left out."""
        lines = list(self.unfitted)
        if self.recognition:
            lines += self.recognition.unreadable
        if self.int8 is None:
            return lines
        tasks = self.int8.tasks
        return [
            *lines,
            *self.int8.unreadable,
            *(tasks.unreadable if tasks else []),
        ]


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
    network, info, unfitted = choose_network(checkpoint, request.choice)
    fingerprint = fingerprint_of(network)
    has_head = isinstance(network, EmbeddingNetwork)
    done = Exported(info, describe(network, info.dim), has_head, unfitted)
    if request.onnx:  # weights alone have no scores
        done.recognition = _recognition(checkpoint, network, info, request)
    labels = done.recognition.labels if done.recognition else None
    if labels and request.labels and info.commercial_use == "yes":
        # What was declared is of the images without labels.
        done.encoder = info = replace(info, commercial_use="unknown")
    if done.recognition and (teaching := done.recognition.teaching):
        assert labels is not None
        assert labels.teacher is not None
        size = labels.teacher.out_features
        done.embedding = f"{size} {teaching.way} of {done.embedding}"
    with staged_files() as stage:
        if path := request.safetensors:
            content = to_safetensors(network, info)
            stage(path, content)
            done.weights = ExportedFile(path, "fp32", len(content), fingerprint)
        if path := request.onnx:
            fp32, done.parity = stage_onnx(
                network, info, path, parity_images(), stage, labels
            )
            done.onnx = ExportedFile.of(fp32, path)
            done.encoder = replace(info, dim=fp32.info.dim)
            if request.int8_images:
                done.int8 = stage_int8(
                    fp32,
                    path,
                    request.int8_images,
                    stage,
                    labelled=request.labelled,
                    force=request.force,
                )
        if request.report and done.int8:
            text = json.dumps(done.int8.to_dict(), indent=2, allow_nan=False) + "\n"
            stage(request.report, text.encode())
        if path := request.card_path:
            own = {fingerprint, *(file.fingerprint for file in done.files)}
            stage(path, _card(checkpoint, request, done, own).encode())
            done.card = path
    return done


def _recognition(
    checkpoint: Path, network: nn.Module, info: BackboneInfo, request: ExportRequest
) -> Recognition | None:
    if request.labels is not None:
        return fit_recognition(
            network, info.input_size, request.labels, teach=request.teach
        )
    classifier = load_classifier(checkpoint)
    return Recognition(Labels(classifier)) if classifier else None


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
    checkpoint: Path, request: ExportRequest, done: Exported, own: set[str]
) -> str:
    measured = []
    if request.evaluation:
        measured.append(read_evaluation(request.evaluation, own))
    if done.int8 and done.int8.tasks:
        measured.append(select_results(done.int8.tasks, own))
    return render_card(
        done.encoder,
        done.embedding,
        training_facts(checkpoint),
        done.files,
        int8=done.int8,
        recognition=done.recognition,
        measured=measured,
    )
