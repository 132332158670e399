"""What simple classifiers read from frozen features: a linear one and neighbours."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from lightly.utils.benchmarking import knn_predict
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]
from torch.nn import functional as F

from contrawarp_edge.core.errors import InputError
from lightly_contrawarp.evaluation.measures.probe_result import (
    ProbeResult,
    summarise_runs,
)
from lightly_contrawarp.evaluation.statistics.scores import Labels, Scores, score

Values = NDArray[np.float32]

C_GRID: tuple[float, ...] = tuple(10.0**power for power in range(-3, 4))
"""Inverse strengths of the L2 penalty that the linear probe chooses from."""

_QUERIES_AT_ONCE = 256


@dataclass(frozen=True)
class NeighbourResult:
    """The nearest-neighbour probe for one k.

    Attributes:
        k: Number of neighbours asked for.
        k_used: Number of neighbours used: ``k`` or, if smaller, the training items.
        temperature: A neighbour of cosine s votes with weight exp(s / temperature).
        scores: Scores on the test set.
    """

    k: int
    k_used: int
    temperature: float
    scores: Scores


def linear_probe(
    train_x: Values,
    train_y: Labels,
    test_x: Values,
    test_y: Labels,
    *,
    seeds: Sequence[int],
    num_classes: int,
) -> ProbeResult:
    """Fits multinomial logistic regression on standardised features.

    The penalty is chosen from `C_GRID` on a stratified tenth of the training set, and
    the classifier then fitted to all of it. The test set only ever gives the scores.

    Args:
        train_x: float32 of shape ``(N, D)``.
        train_y: Classes of shape ``(N,)``, from 0 to ``num_classes - 1``.
        test_x: float32 of shape ``(M, D)``.
        test_y: Classes of shape ``(M,)``, in the same numbering.
        seeds: Each draws another held-out tenth.
        num_classes: Number of classes.

    Raises:
        InputError: If fewer than two classes have at least two training items.
    """
    choices = {seed: choose_c(train_x, train_y, seed=seed) for seed in seeds}
    predicted = {
        c: fit_probe(train_x, train_y, c).predict(test_x)
        for c in sorted(set(choices.values()))
    }
    return summarise_runs(
        [(seed, c, predicted[c]) for seed, c in choices.items()],
        test_y,
        num_classes=num_classes,
        feature_size=train_x.shape[1],
    )


def fit_probe(x: Values, y: Labels, c: float) -> Pipeline:
    """Fits the standardising logistic regression of `linear_probe`.

    Args:
        x: float32 of shape ``(N, D)``.
        y: Classes of shape ``(N,)``.
        c: Inverse strength of the L2 penalty.

    Returns:
        A fitted scikit-learn classifier.
    """
    return _fit(_classifier(c), x, y)


def choose_c(x: Values, y: Labels, *, seed: int) -> float:
    """The entry of `C_GRID` that is most accurate on a held-out tenth.

    Args:
        x: Training features, float32 of shape ``(N, D)``.
        y: Their classes, of shape ``(N,)``.
        seed: Draws the held-out items.

    Returns:
        The best value; the smallest of them if several are equally good.

    Raises:
        InputError: If fewer than two classes have at least two items.
    """
    held_out = _hold_out(y, seed=seed)
    classifier = _classifier(C_GRID[0])
    accuracies = []
    for c in C_GRID:  # ascending: each fit starts from the one before, close to it
        classifier.set_params(logisticregression__C=c)
        _fit(classifier, x[~held_out], y[~held_out])
        accuracies.append(classifier.score(x[held_out], y[held_out]))
    return C_GRID[int(np.argmax(accuracies))]


def knn_probe(
    train_x: Values,
    train_y: Labels,
    test_x: Values,
    test_y: Labels,
    *,
    num_classes: int,
    ks: Sequence[int] = (5, 20, 200),
    temperature: float = 0.07,
) -> list[NeighbourResult]:
    """Classifies by a weighted vote of the training items of largest cosine.

    Args:
        train_x: float32 of shape ``(N, D)``.
        train_y: Classes of shape ``(N,)``, from 0 to ``num_classes - 1``.
        test_x: float32 of shape ``(M, D)``.
        test_y: Classes of shape ``(M,)``, in the same numbering.
        num_classes: Number of classes.
        ks: Numbers of neighbours; one larger than N is taken as N.
        temperature: A neighbour of cosine s votes with weight exp(s / temperature).

    Returns:
        A result for each entry of ``ks``.
    """
    bank = F.normalize(torch.from_numpy(train_x), dim=1).T.contiguous()
    queries = F.normalize(torch.from_numpy(test_x), dim=1)
    labels = torch.from_numpy(train_y)
    results = []
    for k in ks:
        k_used = min(k, len(train_x))
        best = [
            knn_predict(part, bank, labels, num_classes, k_used, temperature)[:, 0]
            for part in torch.split(queries, _QUERIES_AT_ONCE)
        ]
        scores = score(test_y, torch.cat(best).numpy(), num_classes=num_classes)
        results.append(NeighbourResult(k, k_used, temperature, scores))
    return results


def _classifier(c: float) -> Pipeline:
    return make_pipeline(
        StandardScaler(), LogisticRegression(C=c, max_iter=1000, warm_start=True)
    )


def _fit(classifier: Pipeline, x: Values, y: Labels) -> Pipeline:
    # Products this narrow gain nothing from more BLAS threads, and on a busy machine
    # threads that wait for each other make the fit ten times slower.
    with threadpool_limits(1, user_api="blas"), warnings.catch_warnings():
        # With next to no penalty the optimum may lie at infinity; held-out accuracy
        # decides whether such a classifier is any good.
        warnings.simplefilter("ignore", ConvergenceWarning)
        return classifier.fit(x, y)


def _hold_out(y: Labels, *, seed: int) -> NDArray[np.bool_]:
    """Marks a random tenth of each class, at least one item, but never its last."""
    rng = np.random.default_rng(seed)
    held_out = np.zeros(len(y), dtype=bool)
    usable = 0
    for label in np.unique(y):
        members = rng.permutation(np.flatnonzero(y == label))
        if len(members) > 1:
            usable += 1
            held_out[members[: max(1, round(len(members) / 10))]] = True
    if usable < 2:
        raise InputError(
            "the linear probe needs two training images each of two classes or more"
        )
    return held_out
