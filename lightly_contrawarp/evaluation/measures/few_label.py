"""The linear probe when only a few of the training images have a label."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Shaped

from lightly_contrawarp.evaluation.measures.linear_probe import (
    LinearProbeResult,
    choose_c,
    fit_probe,
    summarise_runs,
)
from lightly_contrawarp.evaluation.statistics.arrays import Floats, Ints
from lightly_contrawarp.evaluation.tables import Table, encoder_table, percent

FRACTIONS = (0.01, 0.1)
"""Shares of the training labels that the probe gets."""

DRAWS = (0, 1, 2, 3, 4)
"""Seeds of the draws of labels."""

# Fewer could not be divided into one to learn from and one to choose the penalty by.
_LEAST_OF_A_CLASS = 2


@dataclass(frozen=True)
class FewLabelResult:
    """The linear probe on a share of the labels, over several draws.

    Attributes:
        fraction: The share that was asked for.
        images: Number of labelled images in a draw.
        probe: One run for each draw, and their mean and spread.
    """

    fraction: float
    images: int
    probe: LinearProbeResult


def few_label_probe(
    train_x: Shaped[Floats, "n d"],
    train_y: Shaped[Ints, " n"],
    test_x: Shaped[Floats, "t d"],
    test_y: Shaped[Ints, " t"],
    *,
    num_classes: int,
    fractions: Sequence[float] = FRACTIONS,
    draws: Sequence[int] = DRAWS,
) -> list[FewLabelResult]:
    """Fits the linear probe to stratified draws from the training set.

    All that is learned, the scale of the features and the penalty included, is learned
    from the images of the draw.

    Args:
        train_x: Features to learn from, float32.
        train_y: Their classes, from 0 to ``num_classes - 1``.
        test_x: Features to be scored on, likewise.
        test_y: Their classes, in the same numbering.
        num_classes: Number of classes.
        fractions: Shares of each class to draw, from 0 to 1; see `draw_labels`.
        draws: Seeds of the draws.

    Returns:
        A result for each fraction.

    Raises:
        NotApplicableError: If fewer than two classes have at least two training items.
    """
    results = []
    for fraction in fractions:
        runs = []
        for seed in draws:
            rows = draw_labels(train_y, fraction, seed=seed)
            x, y = train_x[rows], train_y[rows]
            c = choose_c(x, y, seed=seed)
            runs.append((seed, c, fit_probe(x, y, c).predict(test_x)))
        probe = summarise_runs(
            runs, test_y, num_classes=num_classes, feature_size=train_x.shape[1]
        )
        results.append(FewLabelResult(fraction, len(rows), probe))
    return results


def draw_labels(
    labels: Shaped[Ints, " n"], fraction: float, *, seed: int
) -> Shaped[Ints, " drawn"]:
    """Draws a share of each class, without replacement.

    Args:
        labels: The classes.
        fraction: The share, from 0 to 1, rounded to whole items; at least two of each
            class, or all that it has.
        seed: Of the draw.

    Returns:
        Rows of ``labels`` in ascending order, int64.
    """
    rng = np.random.default_rng(seed)
    drawn = []
    for label in np.unique(labels):
        members = rng.permutation(np.flatnonzero(labels == label))
        drawn.append(members[: max(_LEAST_OF_A_CLASS, round(fraction * len(members)))])
    return np.sort(np.concatenate(drawn))


def table(results: Mapping[str, list[FewLabelResult]]) -> Table:
    """Lays out results by the name of the encoder; all have the same fractions."""

    def cell(position: int) -> Callable[[list[FewLabelResult]], str]:
        def of(result: list[FewLabelResult]) -> str:
            probe = result[position].probe
            return f"{percent(probe.accuracy)} ± {percent(probe.spread)}"

        return of

    first = next(iter(results.values()))
    return encoder_table(
        "Few labels",
        f"Accuracy of the linear probe, mean of {len(first[0].probe.runs)} draws "
        "of labels ± standard deviation between them.",
        results,
        {
            f"{one.fraction:.0%}, {one.images:,} images": cell(position)
            for position, one in enumerate(first)
        },
    )
