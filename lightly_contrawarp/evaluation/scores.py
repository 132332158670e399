"""How good a set of predicted classes is, with an interval."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import confusion_matrix

Labels = NDArray[np.int64]

_RESAMPLES = 1000


@dataclass(frozen=True)
class Scores:
    """Agreement of predictions with the truth; all but ``confusion`` are fractions.

    Attributes:
        accuracy: Share of the items that are right.
        interval: 95 % bootstrap interval of ``accuracy`` over the test items.
        mean_class_accuracy: Mean over the classes of the share that is right; classes
            without a test item do not count.
        macro_f1: Mean over the same classes of the F1 score.
        confusion: Number of items by true class (row) and predicted class (column).
    """

    accuracy: float
    interval: tuple[float, float]
    mean_class_accuracy: float
    macro_f1: float
    confusion: list[list[int]]


def score(truth: Labels, predicted: Labels, *, num_classes: int) -> Scores:
    """Scores predictions.

    Args:
        truth: The right classes, of shape ``(N,)``, from 0 to ``num_classes - 1``.
        predicted: The predicted ones, likewise.
        num_classes: Number of classes.
    """
    matrix = confusion_matrix(truth, predicted, labels=np.arange(num_classes))
    hits = np.diag(matrix).astype(float)
    actual, claimed = matrix.sum(axis=1), matrix.sum(axis=0)
    present = actual > 0
    recall = hits[present] / actual[present]
    # 2 hits / (actual + claimed) is F1, and stays defined for a class never claimed.
    f1 = 2 * hits[present] / (actual + claimed)[present]
    correct = (truth == predicted).astype(float)
    return Scores(
        accuracy=float(correct.mean()),
        interval=bootstrap_interval(correct),
        mean_class_accuracy=float(recall.mean()),
        macro_f1=float(f1.mean()),
        confusion=matrix.tolist(),
    )


def bootstrap_interval(values: NDArray[np.floating]) -> tuple[float, float]:
    """The 95 % percentile bootstrap interval of a mean, the same at every call.

    Args:
        values: One value for each item, of shape ``(N,)``.

    Returns:
        The lower and the upper end.
    """
    rng = np.random.default_rng(0)
    count = len(values)
    means = [values[rng.integers(count, size=count)].mean() for _ in range(_RESAMPLES)]
    low, high = np.percentile(means, [2.5, 97.5])
    return float(low), float(high)
