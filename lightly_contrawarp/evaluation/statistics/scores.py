"""How good a set of predicted classes is, with intervals."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Shaped
from numpy.typing import NDArray

from lightly_contrawarp.evaluation.statistics.arrays import Ints
from lightly_contrawarp.evaluation.statistics.intervals import (
    Interval,
    percentile_interval,
    resample_counts,
)


class Summary(NamedTuple):
    """The three numbers that sum up a confusion matrix, as fractions.

    Attributes:
        accuracy: Share of the items that are right.
        mean_class_accuracy: Mean over the classes of the share that is right; classes
            without a test item do not count.
        macro_f1: Mean over the same classes of the F1 score.
    """

    accuracy: float
    mean_class_accuracy: float
    macro_f1: float


@dataclass(frozen=True)
class ScoreMeans:
    """A `Summary` of predictions, or the mean of several, with intervals.

    Attributes:
        accuracy: See `Summary`, as for the other fractions.
        interval: 95 % bootstrap interval of ``accuracy`` over the test items.
        mean_class_accuracy: Mean share that is right.
        mean_class_interval: Its interval.
        macro_f1: Mean F1 score.
        macro_f1_interval: Its interval.
    """

    accuracy: float
    interval: Interval
    mean_class_accuracy: float
    mean_class_interval: Interval
    macro_f1: float
    macro_f1_interval: Interval


@dataclass(frozen=True)
class Scores(ScoreMeans):
    """Agreement of predictions with the truth.

    Attributes:
        confusion: Number of items by true class (row) and predicted class (column);
            items without a predicted class are in no column.
    """

    confusion: list[list[int]]


def score(
    truth: Shaped[Ints, " n"], predicted: Shaped[Ints, " n"], *, num_classes: int
) -> Scores:
    """Scores predictions.

    Args:
        truth: The right classes, from 0 to ``num_classes - 1``.
        predicted: The predicted ones, likewise; or ``num_classes`` for none, which is
            wrong.
        num_classes: Number of classes.
    """
    confusion = _confusion(truth, predicted, num_classes)
    summary = _summary(confusion)
    resampled = resample_scores(truth, predicted, num_classes=num_classes)
    accuracy, mean_class, macro_f1 = map(percentile_interval, resampled.T)
    return Scores(
        accuracy=summary.accuracy,
        interval=accuracy,
        mean_class_accuracy=summary.mean_class_accuracy,
        mean_class_interval=mean_class,
        macro_f1=summary.macro_f1,
        macro_f1_interval=macro_f1,
        confusion=confusion[:, :num_classes].astype(int).tolist(),
    )


def resample_scores(
    truth: Shaped[Ints, " n"], predicted: Shaped[Ints, " n"], *, num_classes: int
) -> Shaped[NDArray[np.float64], "resamples 3"]:
    """The scores on the bootstrap resamples of the test items.

    Args:
        truth: See `score`.
        predicted: See `score`.
        num_classes: Number of classes.

    Returns:
        A `Summary` in each row. The resamples are the same for all
        predictions of a test set, so that rows of several can be averaged.
    """
    return np.array(
        [
            _summary(_confusion(truth, predicted, num_classes, counts))
            for counts in resample_counts(len(truth))
        ]
    )


def _confusion(
    truth: Shaped[Ints, " n"],
    predicted: Shaped[Ints, " n"],
    num_classes: int,
    counts: Shaped[NDArray[np.int64], " n"] | None = None,
) -> Shaped[NDArray[np.float64], "classes columns"]:
    """Items by true and predicted class; the last column is of those without one."""
    shape = num_classes, num_classes + 1
    cells = np.bincount(truth * shape[1] + predicted, counts, shape[0] * shape[1])
    return cells.reshape(shape).astype(np.float64)


def _summary(confusion: Shaped[NDArray[np.float64], "classes columns"]) -> Summary:
    hits, actual = np.diag(confusion), confusion.sum(axis=1)
    claimed = confusion[:, :-1].sum(axis=0)
    present = actual > 0
    # 2 hits / (actual + claimed) is F1, and stays defined for a class never claimed.
    f1 = 2 * hits[present] / (actual + claimed)[present]
    return Summary(
        accuracy=float(hits.sum() / actual.sum()),
        mean_class_accuracy=float((hits[present] / actual[present]).mean()),
        macro_f1=float(f1.mean()),
    )
