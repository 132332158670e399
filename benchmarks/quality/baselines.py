"""Models of others, which need no training here, judged like our own."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from benchmarks.facts import commit, hardware
from benchmarks.quality.features import Values
from benchmarks.quality.images import Images, load_sets
from benchmarks.quality.judging import Scores, Truth, judge, search_scores
from benchmarks.quality.plan import Plan
from contrawarp_edge.core.errors import InputError
from contrawarp_edge.core.files import atomic_write, atomic_write_text
from contrawarp_edge.core.progress import Progress
from lightly_contrawarp.data.labelled import class_name
from lightly_contrawarp.evaluation.statistics.scores import score
from lightly_contrawarp.evaluation.versions import versions

TRAIN_IMAGES = 7000
"""Training images that a baseline embeds, evenly spread: each takes milliseconds."""

_MARGIN = 12  # MediaPipe wants more around a face: a twelfth of the side, repeated
_MESH_SIDE = 256
_LEFT, _RIGHT = 33, 263  # outer corners of the eyes
_SCORED = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")
_SCORED_SIDE = 64
# The points of the mesh that the blendshape model takes, as MediaPipe's graph says.
_TAKEN = [
    0, 1, 4, 5, 6, 7, 8, 10, 13, 14, 17, 21, 33, 37, 39, 40, 46, 52, 53, 54, 55, 58, 61,
    63, 65, 66, 67, 70, 78, 80, 81, 82, 84, 87, 88, 91, 93, 95, 103, 105, 107, 109, 127,
    132, 133, 136, 144, 145, 146, 148, 149, 150, 152, 153, 154, 155, 157, 158, 159, 160,
    161, 162, 163, 168, 172, 173, 176, 178, 181, 185, 191, 195, 197, 234, 246, 249, 251,
    263, 267, 269, 270, 276, 282, 283, 284, 285, 288, 291, 293, 295, 296, 297, 300, 308,
    310, 311, 312, 314, 317, 318, 321, 323, 324, 332, 334, 336, 338, 356, 361, 362, 365,
    373, 374, 375, 377, 378, 379, 380, 381, 382, 384, 385, 386, 387, 388, 389, 390, 397,
    398, 400, 402, 405, 409, 415, 454, 466, 468, 469, 470, 471, 472, 473, 474, 475, 476,
    477,
]  # fmt: skip

Pixels = NDArray[np.uint8]
Call = Callable[[Values], Values]


@dataclass(frozen=True)
class Baseline:
    """A model of others.

    Attributes:
        name: Identifier, used in file names.
        says: What it is, in a few words.
        option: The option that names its file.
    """

    name: str
    says: str
    option: str


BASELINES = (
    Baseline("mediapipe-points", "MediaPipe's 478 landmarks, roll and scale removed",
             "landmarker"),
    Baseline("mediapipe-blendshapes", "MediaPipe's 52 blendshapes", "landmarker"),
    Baseline("mini-xception", "supervised mini-Xception in 8 bits: its own answers, "
             "and search in its 7 scores", "xception"),
)  # fmt: skip


def baseline_path(plan: Plan, baseline: Baseline) -> Path:
    """Where the result of a baseline is written."""
    return plan.out / f"baseline-{baseline.name}.json"


def judge_baselines(plan: Plan, models: Mapping[str, Path | None]) -> None:
    """Embeds all images with the models that are given, and judges what they say.

    What was embedded is kept beside the images, so that it is done once.

    Args:
        plan: Where the images are, and where results go.
        models: Files by the option that names them: ``landmarker`` is MediaPipe's
            ``face_landmarker.task``, ``xception`` a ``.tflite`` with 7 scores.

    Raises:
        InputError: If a file is none of that kind, or ``ai-edge-litert`` is missing.
    """
    sets = load_sets(plan.sources, plan.out.parent / "images", plan.scale)
    sets["test"] = sets.pop("validation")
    sets["train"] = sets["train"].spread(TRAIN_IMAGES)
    truth = {name: Truth.of(images) for name, images in sets.items()}
    for option, embed in (("landmarker", _mesh), ("xception", _scores)):
        path = models.get(option)
        if path is None:
            continue
        kept = plan.out.parent / "features"
        found = {
            name: _kept(kept, path, embed, images) for name, images in sets.items()
        }
        for baseline in BASELINES:
            if baseline.option == option:
                values = {name: one[baseline.name] for name, one in found.items()}
                _write(plan, baseline, values, truth)


def _write(
    plan: Plan,
    baseline: Baseline,
    values: Mapping[str, Values],
    truth: Mapping[str, Truth],
) -> None:
    # As the head of our own embedding does, for the cosines.
    middle = values["train"].mean(axis=0)
    centred = {name: one - middle for name, one in values.items()}
    if baseline.option == "xception":
        scores = _own_answers(values["test"], truth["test"])
        scores |= search_scores(centred, truth)
    else:
        scores = judge(centred, truth, "test")
    result = {
        "variant": baseline.name,
        "seed": 0,
        "scale": asdict(plan.scale),
        "images": len(truth["train"].labels),
        "scores": {"embedding": scores},
        "commit": commit(),
        "versions": versions(),
        "hardware": hardware(),
    }
    text = json.dumps(result, indent=2) + "\n"
    atomic_write_text(baseline_path(plan, baseline), text)


def _own_answers(values: Values, truth: Truth) -> Scores:
    """How often the class with the highest score is right."""
    names = [class_name(name) for name in _SCORED]
    columns = [names.index(name) for name in truth.classes if name in names]
    if len(columns) < len(truth.classes):
        raise InputError(f"classes {', '.join(truth.classes)}: not those of FER2013")
    answers = values[:, columns].argmax(axis=1)
    found = score(truth.labels, answers, num_classes=len(truth.classes))
    return Scores(
        linear=found.accuracy,
        linear_interval=found.interval,
        mean_class=found.mean_class_accuracy,
        mean_class_interval=found.mean_class_interval,
    )


def _kept(
    folder: Path,
    model: Path,
    embed: Callable[[Path, list[Pixels]], dict[str, Values]],
    images: Images,
) -> dict[str, Values]:
    """Features from a file, which is made if it is not there."""
    pixels = images.pixels.numpy()
    digest = hashlib.sha256(pixels.tobytes())
    digest.update(model.read_bytes())
    path = folder / f"{model.stem}-{digest.hexdigest()[:16]}.npz"
    if not path.exists():
        rgb = np.broadcast_to(pixels, (len(pixels), 3, *pixels.shape[2:]))
        made = embed(model, list(rgb.transpose(0, 2, 3, 1)))
        buffer = io.BytesIO()
        np.savez(buffer, allow_pickle=False, **made)
        folder.mkdir(parents=True, exist_ok=True)
        atomic_write(path, buffer.getbuffer())
    with np.load(path) as found:
        return {name: found[name] for name in found}


def _mesh(path: Path, images: list[Pixels]) -> dict[str, Values]:
    """Points and blendshapes of faces, by MediaPipe's models."""
    try:
        with zipfile.ZipFile(path) as files:
            mesh, shapes = (
                _interpreter(files.read(f"face_{name}.tflite"), path)
                for name in ("landmarks_detector", "blendshapes")
            )
    except (KeyError, zipfile.BadZipFile) as error:
        raise InputError(f"{path}: no face_landmarker.task of MediaPipe") from error
    points = _each(images, lambda image: mesh(framed(image)).reshape(-1, 3)[:, :2])
    blendshapes = np.stack([shapes(one[None, _TAKEN]).ravel() for one in points])
    return {
        "mediapipe-points": upright(points).reshape(len(points), -1),
        "mediapipe-blendshapes": blendshapes,
    }


def _scores(path: Path, images: list[Pixels]) -> dict[str, Values]:
    """Scores of the classes by the mini-Xception."""
    model = _interpreter(path.read_bytes(), path)
    return {"mini-xception": _each(images, lambda image: model(grey(image)).ravel())}


def framed(image: Pixels) -> Values:
    """A crop ``[S, S, 3]`` as the mesh model takes it: more around it, 0 to 1."""
    margin = round(len(image) / _MARGIN)
    padded = np.pad(image, ((margin, margin), (margin, margin), (0, 0)), mode="edge")
    square = Image.fromarray(padded).resize(
        (_MESH_SIDE, _MESH_SIDE), Image.Resampling.BILINEAR
    )
    scaled: Values = np.asarray(square, np.float32)[None] / np.float32(255)
    return scaled


def grey(image: Pixels) -> Values:
    """A crop ``[S, S, 3]`` as the mini-Xception takes it: grey, from -1 to 1."""
    square = Image.fromarray(np.ascontiguousarray(image)).convert("L")
    small = square.resize((_SCORED_SIDE, _SCORED_SIDE), Image.Resampling.BILINEAR)
    return np.asarray(small, np.float32)[None, :, :, None] / 127.5 - 1


def upright(points: Values) -> Values:
    """Points ``[N, P, 2]`` with the eyes level, their centre at 0, and of size 1."""
    centred = points - points.mean(axis=1, keepdims=True)
    x, y = (centred[:, _RIGHT] - centred[:, _LEFT]).T
    angle = np.arctan2(y, x)
    cos, sin = np.cos(angle), np.sin(angle)
    turn = np.stack([np.stack([cos, -sin], -1), np.stack([sin, cos], -1)], -2)
    level = centred @ turn
    size = np.sqrt((level**2).sum(axis=(1, 2), keepdims=True))
    return np.asarray(level / np.where(size > 0, size, 1), dtype=np.float32)


def _each(images: list[Pixels], embed: Callable[[Pixels], Values]) -> Values:
    progress, rows = Progress(len(images)), []
    for index, image in enumerate(images):
        rows.append(embed(image))
        progress.update(index + 1)
    progress.clear()
    return np.stack(rows)


def _interpreter(content: bytes, path: Path) -> Call:
    """The first output of a model as a function of its only input."""
    try:
        from ai_edge_litert.interpreter import Interpreter
    except ImportError as error:
        raise InputError(
            f"{path}: needs ai-edge-litert; pip install "
            "'lightly-contrawarp[benchmarks]'"
        ) from error
    try:
        model = Interpreter(model_content=content, num_threads=1)
    except (ValueError, RuntimeError) as error:
        raise InputError(f"{path}: no model in the format tflite") from error
    model.allocate_tensors()
    return partial(_call, model)


def _call(model: Any, value: Values) -> Values:
    model.set_tensor(model.get_input_details()[0]["index"], value)
    model.invoke()
    output: Values = model.get_tensor(model.get_output_details()[0]["index"])
    return output
