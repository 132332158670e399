"""What several runs of a linear probe gave, together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lightly_contrawarp.evaluation.statistics.intervals import (
    Interval,
    percentile_interval,
)
from lightly_contrawarp.evaluation.statistics.scores import (
    Labels,
    Scores,
    resample_scores,
    score,
)


@dataclass(frozen=True)
class ProbeRun:
    """The linear probe under one seed.

    Attributes:
        seed: Seed of what was drawn: the held-out tenth that chose ``c``, and before
            it the labels that a few-label probe gets.
        c: The chosen inverse strength of the penalty.
        scores: Scores on the test set.
    """

    seed: int
    c: float
    scores: Scores


@dataclass(frozen=True)
class ProbeResult:
    """The linear probe over all seeds.

    The scores are means over the runs, and the intervals those of these means: 95 %
    bootstrap intervals over the test items.

    Attributes:
        accuracy: See `Scores`, as for all the scores and their intervals.
        interval: Of ``accuracy``.
        spread: Standard deviation of the accuracy between runs; 0 for a single run.
        mean_class_accuracy: Mean share that is right.
        mean_class_interval: Its interval.
        macro_f1: Mean F1 score.
        macro_f1_interval: Its interval.
        feature_size: Number of features of an item.
        runs: One entry for each seed.
    """

    accuracy: float
    interval: Interval
    spread: float
    mean_class_accuracy: float
    mean_class_interval: Interval
    macro_f1: float
    macro_f1_interval: Interval
    feature_size: int
    runs: list[ProbeRun]


def summarise_runs(
    runs: Sequence[tuple[int, float, Labels]],
    test_y: Labels,
    *,
    num_classes: int,
    feature_size: int,
) -> ProbeResult:
    """Scores the predictions of several runs of a probe, and their mean.

    Args:
        runs: Seed, chosen C, and predicted classes of shape ``(M,)`` of each run.
        test_y: The true classes, of shape ``(M,)``.
        num_classes: Number of classes.
        feature_size: To be noted in the result.
    """
    scored = [
        ProbeRun(seed, c, score(test_y, predicted, num_classes=num_classes))
        for seed, c, predicted in runs
    ]
    resampled = np.mean(
        [resample_scores(test_y, p, num_classes=num_classes) for _, _, p in runs],
        axis=0,
    )
    accuracy, mean_class, macro_f1 = map(percentile_interval, resampled.T)
    accuracies = [run.scores.accuracy for run in scored]
    return ProbeResult(
        accuracy=float(np.mean(accuracies)),
        interval=accuracy,
        spread=float(np.std(accuracies, ddof=1)) if len(accuracies) > 1 else 0.0,
        mean_class_accuracy=float(
            np.mean([run.scores.mean_class_accuracy for run in scored])
        ),
        mean_class_interval=mean_class,
        macro_f1=float(np.mean([run.scores.macro_f1 for run in scored])),
        macro_f1_interval=macro_f1,
        feature_size=feature_size,
        runs=scored,
    )
