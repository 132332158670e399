"""What a linear classifier reads from frozen features."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Shaped
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from lightly_contrawarp.data.held_out import hold_out
from lightly_contrawarp.evaluation.statistics.arrays import Floats, Ints, Mask
from lightly_contrawarp.evaluation.statistics.calibration import (
    Calibration,
    calibration,
)
from lightly_contrawarp.evaluation.statistics.intervals import percentile_interval
from lightly_contrawarp.evaluation.statistics.scores import (
    ScoreMeans,
    Scores,
    resample_scores,
    score,
)
from lightly_contrawarp.evaluation.tables import (
    SCORE_COLUMNS,
    Table,
    encoder_table,
    percent,
)

C_GRID: tuple[float, ...] = tuple(10.0**power for power in range(-3, 4))
"""Inverse strengths of the L2 penalty that the linear probe chooses from."""


@dataclass(frozen=True)
class LinearProbeRun:
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
class LinearProbeResult(ScoreMeans):
    """The linear probe over all seeds.

    The scores are means over the runs, and the intervals those of these means: 95 %
    bootstrap intervals over the test items.

    Attributes:
        spread: Standard deviation of the accuracy between runs; 0 for a single run.
        feature_size: Number of features of an item.
        runs: One entry for each seed.
        accuracy_without_duplicates: Accuracy on the test items that have no
            near-duplicate among the training items; None if there are none, or if
            nobody looked.
        calibration: How far to trust the probabilities of the test items.
    """

    spread: float
    feature_size: int
    runs: list[LinearProbeRun]
    accuracy_without_duplicates: float | None = None
    calibration: Calibration | None = None


def linear_probe(
    train_x: Shaped[Floats, "n d"],
    train_y: Shaped[Ints, " n"],
    test_x: Shaped[Floats, "t d"],
    test_y: Shaped[Ints, " t"],
    *,
    seeds: Sequence[int],
    num_classes: int,
    duplicated: Shaped[Mask, " t"] | None = None,
) -> LinearProbeResult:
    """Fits multinomial logistic regression on standardised features.

    The penalty is chosen from `C_GRID` on a stratified tenth of the training set, and
    the classifier then fitted to all of it. The test set only ever gives the scores.

    Args:
        train_x: Features to learn from, float32.
        train_y: Their classes, from 0 to ``num_classes - 1``.
        test_x: Features to be scored on, likewise.
        test_y: Their classes, in the same numbering.
        seeds: Each draws another held-out tenth.
        num_classes: Number of classes.
        duplicated: Which test items have a near-duplicate among the training items.

    Raises:
        NotApplicableError: If fewer than two classes have at least two training items.
    """
    choices = {seed: choose_c(train_x, train_y, seed=seed) for seed in seeds}
    predicted, confidence = {}, {}
    for c in sorted(set(choices.values())):
        probe = fit_probe(train_x, train_y, c)
        predicted[c] = probe.predict(test_x)
        confidence[c] = probe.predict_proba(test_x).max(axis=1)
    result = summarise_runs(
        [(seed, c, predicted[c]) for seed, c in choices.items()],
        test_y,
        num_classes=num_classes,
        feature_size=train_x.shape[1],
    )
    right = {c: labels == test_y for c, labels in predicted.items()}
    alone = None
    if duplicated is not None and not duplicated.all():
        alone = float(np.mean([right[c][~duplicated] for c in choices.values()]))
    return replace(
        result,
        accuracy_without_duplicates=alone,
        calibration=calibration([(confidence[c], right[c]) for c in choices.values()]),
    )


def fit_probe(x: Shaped[Floats, "n d"], y: Shaped[Ints, " n"], c: float) -> Pipeline:
    """Fits the standardising logistic regression of `linear_probe`.

    Args:
        x: Features to learn from, float32.
        y: Their classes.
        c: Inverse strength of the L2 penalty.

    Returns:
        A fitted scikit-learn classifier.
    """
    return _fit(_classifier(c), x, y)


def choose_c(x: Shaped[Floats, "n d"], y: Shaped[Ints, " n"], *, seed: int) -> float:
    """The entry of `C_GRID` that is most accurate on a held-out tenth.

    Args:
        x: Features to learn from, float32.
        y: Their classes.
        seed: Draws the held-out items.

    Returns:
        The best value; the smallest of them if several are equally good.

    Raises:
        NotApplicableError: If fewer than two classes have at least two items.
    """
    held_out = hold_out(y, seed=seed)
    classifier = _classifier(C_GRID[0])
    accuracies = []
    for c in C_GRID:  # ascending: each fit starts from the one before, close to it
        classifier.set_params(logisticregression__C=c)
        _fit(classifier, x[~held_out], y[~held_out])
        accuracies.append(classifier.score(x[held_out], y[held_out]))
    return C_GRID[int(np.argmax(accuracies))]


def summarise_runs(
    runs: Sequence[tuple[int, float, Shaped[Ints, " t"]]],
    test_y: Shaped[Ints, " t"],
    *,
    num_classes: int,
    feature_size: int,
) -> LinearProbeResult:
    """Scores the predictions of several runs of a probe, and their mean.

    Args:
        runs: Seed, chosen C, and predicted classes of each run.
        test_y: The true classes.
        num_classes: Number of classes.
        feature_size: To be noted in the result.
    """
    scored = [
        LinearProbeRun(seed, c, score(test_y, predicted, num_classes=num_classes))
        for seed, c, predicted in runs
    ]
    resampled = np.mean(
        [resample_scores(test_y, p, num_classes=num_classes) for _, _, p in runs],
        axis=0,
    )
    accuracy, mean_class, macro_f1 = map(percentile_interval, resampled.T)
    accuracies = [run.scores.accuracy for run in scored]
    return LinearProbeResult(
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


def table(results: Mapping[str, LinearProbeResult]) -> Table:
    """Lays out results by the name of the encoder."""
    columns: dict[str, Callable[[LinearProbeResult], str]] = {
        **SCORE_COLUMNS,
        "without duplicates": lambda result: _share(result.accuracy_without_duplicates),
        "calibration error": lambda result: _share(
            result.calibration.error if result.calibration else None
        ),
        "features": lambda result: f"{result.feature_size:,}",
    }
    return encoder_table(
        "Linear probe",
        "Logistic regression on standardised frozen features. Without duplicates: the "
        "accuracy on test images without a near-duplicate to learn from. Calibration "
        "error: how far its probabilities are from the share that is right; less is "
        "better.",
        results,
        columns,
    )


def _share(fraction: float | None) -> str:
    return "-" if fraction is None else percent(fraction)


def _classifier(c: float) -> Pipeline:
    return make_pipeline(
        StandardScaler(), LogisticRegression(C=c, max_iter=1000, warm_start=True)
    )


def _fit(
    classifier: Pipeline, x: Shaped[Floats, "n d"], y: Shaped[Ints, " n"]
) -> Pipeline:
    # Products this narrow gain nothing from more BLAS threads, and on a busy machine
    # threads that wait for each other make the fit ten times slower.
    with threadpool_limits(1, user_api="blas"), warnings.catch_warnings():
        # With next to no penalty the optimum may lie at infinity; held-out accuracy
        # decides whether such a classifier is any good.
        warnings.simplefilter("ignore", ConvergenceWarning)
        return classifier.fit(x, y)
