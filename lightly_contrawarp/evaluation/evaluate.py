"""The whole evaluation of one frozen encoder on a labelled set, as plain values."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from importlib.metadata import version
from typing import Any

import numpy as np

from contrawarp_edge.errors import InputError
from lightly_contrawarp.data.labelled import LabelledFolder
from lightly_contrawarp.evaluation.features import (
    Encoder,
    Features,
    extract_features,
)
from lightly_contrawarp.evaluation.probes import knn_probe, linear_probe
from lightly_contrawarp.evaluation.scores import Labels


@dataclass(frozen=True)
class EvaluationSettings:
    """Everything that an evaluation depends on besides encoder and data.

    Attributes:
        input_size: Side of the square that the encoder takes, in pixels.
        batch_size: Images in a batch.
        workers: Processes that decode images; 0 decodes in the calling one.
        device: Where the encoder runs.
        seeds: Seeds of the linear probe.
        ks: Numbers of neighbours.
        temperature: Of the neighbours' votes; see `knn_probe`.
    """

    input_size: int
    batch_size: int = 256
    workers: int = 0
    device: str = "cpu"
    seeds: tuple[int, ...] = (0, 1, 2)
    ks: tuple[int, ...] = (5, 20, 200)
    temperature: float = 0.07


def evaluate(
    encoder: Encoder,
    train: LabelledFolder,
    test: LabelledFolder,
    settings: EvaluationSettings,
    *,
    on_progress: Callable[[int], None] | None = None,
) -> dict[str, Any]:
    """Scores the features of a frozen encoder with a linear and a neighbour probe.

    Args:
        encoder: See `extract_features`.
        train: Images that the probes learn from, without a transform.
        test: Images that they are scored on, without a transform.
        settings: Everything else.
        on_progress: Called after each batch of ``train`` and then ``test`` with the
            number of images done so far.

    Returns:
        Settings, versions, class names, sizes, unreadable files and the results of
        both probes: only values that JSON can hold.

    Raises:
        InputError: If ``test`` has a class that ``train`` lacks, or see
            `extract_features` and `linear_probe`.
    """
    numbering = _numbering(train, test)
    train_set, test_set = (
        extract_features(
            encoder,
            dataset,
            input_size=settings.input_size,
            batch_size=settings.batch_size,
            workers=settings.workers,
            device=settings.device,
            on_progress=on_progress and _after(before, on_progress),
        )
        for dataset, before in ((train, 0), (test, len(train)))
    )
    truth = numbering[test_set.labels]
    num_classes = len(train.classes)
    arrays = (train_set.values, train_set.labels, test_set.values, truth)
    linear = linear_probe(*arrays, seeds=settings.seeds, num_classes=num_classes)
    neighbours = knn_probe(
        *arrays,
        num_classes=num_classes,
        ks=settings.ks,
        temperature=settings.temperature,
    )
    return {
        "settings": asdict(settings),
        "versions": {
            name: version(name)
            for name in ("lightly-contrawarp", "lightly", "torch", "scikit-learn")
        },
        "classes": train.classes,
        "train": _describe(train, train_set),
        "test": _describe(test, test_set),
        "linear_probe": asdict(linear),
        "knn": [asdict(result) for result in neighbours],
    }


def format_table(results: Mapping[str, dict[str, Any]]) -> str:
    """Lays out results for reading, in percent, one row for each encoder.

    Args:
        results: What `evaluate` returned, by the name of the encoder; all with the
            same numbers of neighbours.
    """
    header = ["encoder", "linear probe (95 %)", "mean class", "macro F1"]
    first = next(iter(results.values()))
    header += [f"kNN {result['k']}" for result in first["knn"]]
    rows = [header]
    for name, result in results.items():
        linear = result["linear_probe"]
        low, high = linear["interval"]
        rows.append(
            [
                name,
                f"{_percent(linear['accuracy'])} ± {_percent((high - low) / 2)}",
                _percent(linear["mean_class_accuracy"]),
                _percent(linear["macro_f1"]),
                *(_percent(knn["scores"]["accuracy"]) for knn in result["knn"]),
            ]
        )
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(
            [row[0].ljust(widths[0])]
            + [
                cell.rjust(width)
                for cell, width in zip(row[1:], widths[1:], strict=True)
            ]
        )
        for row in rows
    )


def _numbering(train: LabelledFolder, test: LabelledFolder) -> Labels:
    """The training label of each test label: the two sets may differ in classes."""
    unknown = [name for name in test.classes if name not in train.classes]
    if unknown:
        raise InputError(
            f"{test.root}: {', '.join(unknown)} is not among the classes of "
            f"{train.root}: {', '.join(train.classes)}"
        )
    return np.asarray([train.classes.index(name) for name in test.classes])


def _after(before: int, report: Callable[[int], None]) -> Callable[[int], None]:
    return lambda done: report(before + done)


def _describe(dataset: LabelledFolder, features: Features) -> dict[str, Any]:
    counts = np.bincount(features.labels, minlength=len(dataset.classes))
    return {
        "folder": str(dataset.root),
        "images": len(features.labels),
        "images_by_class": dict(zip(dataset.classes, counts.tolist(), strict=True)),
        "unreadable": features.unreadable,
    }


def _percent(fraction: float) -> str:
    return f"{100 * fraction:.1f}"
