"""Means over seeds, their intervals, and sentences about them."""

import math
from typing import Any

import numpy as np
import pytest
from scipy import stats

from benchmarks.quality.report.rows import Mean, Row, cell, compare, gain


def row(name: str, *linear: float, **others: Any) -> Row:
    runs = [
        {
            "seed": seed,
            "scores": {"embedding": {"linear": value, **others}},
            "commit": "abc",
            "seconds": 60.0 * (seed + 1),
            "epochs": 2.0,
        }
        for seed, value in enumerate(linear)
    ]
    return Row(name, "", runs)


def test_mean_has_the_t_interval_of_scipy() -> None:
    values = [40.0, 41.0, 43.5]
    low, high = stats.t.interval(0.95, 2, loc=np.mean(values), scale=stats.sem(values))
    mean = Mean.of(values, [(0, 100)] * 3)
    assert (mean.low, mean.high) == pytest.approx((low, high))
    few = Mean.of([1.0, 2.0], [(0.0, 2.0), (1.0, 4.0)])
    assert (few.low, few.high) == (0.5, 3.0)
    assert math.isnan(Mean.of([1.0, 2.0]).low)
    assert Mean(50.0, 49.0, 51.0).is_apart_from(Mean(47.0, 45.5, 48.5))
    assert not Mean(50.0, 49.0, 51.0).is_apart_from(Mean(48.5, 47.5, 49.5))
    assert not Mean.of([50.0]).is_apart_from(Mean(1.0, 0.0, 2.0))


def test_cells() -> None:
    assert cell(row("a", 0.4, 0.4, 0.4), "linear") == "40.0 ± 0.0"
    assert cell(row("a", 0.4), "linear") == "40.0"
    one = row("a", 0.4, lfw_auc=0.5, lfw_auc_interval=[0.4, 0.6])
    assert cell(one, "lfw_auc") == "0.500 (0.400 to 0.600)"
    assert cell(one, "lfw_p10") == "-"
    assert cell(one, "linear", "pooled") == "-"
    assert row("a", 0.4, 0.4).minutes == 1.5
    some = row("a", 0.4, 0.4, 0.4)  # of which one knows the score
    some.runs[0]["scores"]["embedding"]["lfw_p10"] = 0.3
    assert cell(some, "lfw_p10") == "30.0"


def test_gains_are_over_the_seeds_that_both_have() -> None:
    assert gain(row("a", 0.5, 0.7), row("b", 0.4), "linear") == "+10.0"
    assert gain(row("a"), row("b", 0.4), "linear") == "-"


def test_sentences() -> None:
    one, other = row("one", 0.5, 0.5, 0.5), row("other", 0.4, 0.4, 0.4)
    assert compare(one, other, "linear", "Probe") == (
        "Probe: `one` 50.0, `other` 40.0: +10.0 points; intervals do not touch."
    )
    assert compare(one, other, "lfw_auc", "AUC") is None
