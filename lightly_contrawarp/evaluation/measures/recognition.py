"""What an exported model says of classes by itself, without a probe."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Shaped

from contrawarp_edge.core.errors import NotApplicableError
from lightly_contrawarp.evaluation.statistics.arrays import Floats, Ints
from lightly_contrawarp.evaluation.statistics.calibration import (
    Calibration,
    calibration,
)
from lightly_contrawarp.evaluation.statistics.scores import ScoreMeans, Scores, score
from lightly_contrawarp.evaluation.tables import (
    SCORE_COLUMNS,
    Table,
    encoder_table,
    percent,
)


@dataclass(frozen=True)
class RecognitionResult:
    """The probabilities of a model, judged on images whose class it has.

    Attributes:
        classes: Names of the model's classes, in the order of ``scores.confusion``.
        scores: Scores of the class that is the most probable.
        calibration: How far to trust its probability.
        left_out: Number of images by class that the model lacks.
    """

    classes: list[str]
    scores: Scores
    calibration: Calibration
    left_out: dict[str, int]


def recognition(
    probabilities: Shaped[Floats, "n known"],
    known: Sequence[str],
    labels: Shaped[Ints, " n"],
    classes: Sequence[str],
) -> RecognitionResult:
    """Judges probabilities; classes are matched by their names.

    Args:
        probabilities: Of the model's classes.
        known: Their names.
        labels: The true class of each image, as a position in ``classes``.
        classes: Names of the classes of the set.

    Raises:
        NotApplicableError: If no image has a class of the model.
    """
    positions = {name: position for position, name in enumerate(known)}
    truth = np.array([positions.get(name, -1) for name in classes])[labels]
    used = truth >= 0
    if not used.any():
        raise NotApplicableError(
            f"no image has a class of the model, which knows {', '.join(known)}"
        )
    predicted = probabilities[used].argmax(axis=1)
    confidence = probabilities[used].max(axis=1)
    counts = np.bincount(labels, minlength=len(classes)).tolist()
    return RecognitionResult(
        list(known),
        score(truth[used], predicted, num_classes=len(known)),
        calibration([(confidence, predicted == truth[used])]),
        {
            name: count
            for name, count in zip(classes, counts, strict=True)
            if name not in positions and count
        },
    )


def table(results: Mapping[str, RecognitionResult]) -> Table:
    """Lays out results by the name of the encoder."""
    note = (
        "The model's own probabilities, without a probe. Calibration error: how far "
        "they are from the share that is right; less is better."
    )
    lacking = {name: one.left_out for name, one in results.items() if one.left_out}
    for name, left_out in lacking.items():
        note += (
            f" {name} has no {', '.join(left_out)}: {sum(left_out.values()):,} images "
            "are left out."
        )
    return encoder_table(
        "Recognition",
        note,
        results,
        {
            **{title: _of_scores(cell) for title, cell in SCORE_COLUMNS.items()},
            "calibration error": lambda one: percent(one.calibration.error),
            "left out": lambda one: f"{sum(one.left_out.values()):,}",
        },
    )


def _of_scores(
    cell: Callable[[ScoreMeans], str],
) -> Callable[[RecognitionResult], str]:
    return lambda one: cell(one.scores)
