"""Pictures of the results: accuracy against time, and how good a search is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure

from benchmarks.quality.report.rows import Row
from lightly_contrawarp.evaluation.report.pictures import svg

Curve = Sequence[Sequence[float]]
"""Seconds, epoch and accuracy of what was measured on the way."""

_PANELS = (("lfw_p10", "LFW, P@10 among other people, %"),
           ("lfw_auc", "LFW, AUC of the same expression"))  # fmt: skip


def plot_curves(curves: Mapping[str, Sequence[Curve]]) -> bytes:
    """Plots the mean curve of each variant, with the range over its seeds.

    Args:
        curves: The runs' curves by name; runs without one are left out.

    Returns:
        An SVG file.
    """
    figure = Figure(figsize=(9, 4.5), layout="constrained")
    axes = figure.subplots()
    styles = ["-", "--", ":"]
    shown = {k: [c for c in v if c] for k, v in curves.items()}
    for index, (name, runs) in enumerate(shown.items()):
        if not runs:
            continue
        points = min(map(len, runs))
        measured = np.array([run[:points] for run in runs])
        seconds, _, accuracy = np.moveaxis(measured, 2, 0)
        minutes, values = seconds.mean(0) / 60, 100 * accuracy
        color = f"C{index % 10}"
        axes.plot(minutes, values.mean(0), styles[index // 10], color=color,
                  marker=".", label=name)  # fmt: skip
        axes.fill_between(
            minutes, values.min(0), values.max(0), color=color, alpha=0.12
        )
    axes.set(xlabel="training time of a run, minutes",
             ylabel="accuracy of the quick probe, %")  # fmt: skip
    axes.grid(alpha=0.3)
    if axes.has_data():
        figure.legend(loc="outside right upper", fontsize=8, frameon=False)
    return svg(figure).encode()


def plot_search(rows: Sequence[Row]) -> bytes:
    """Plots how good a search with each row's features is, where that is known.

    Returns:
        An SVG file.
    """
    figure = Figure(figsize=(9, 0.6 + 0.25 * max(1, len(rows))), layout="constrained")
    for axes, (key, label) in zip(
        figure.subplots(1, len(_PANELS), sharey=True), _PANELS, strict=True
    ):
        means = [(row.name, row.mean(key)) for row in reversed(rows)]
        known = [(name, mean) for name, mean in means if mean is not None]
        for name, mean in known:
            ends = np.array([[mean.value - mean.low], [mean.high - mean.value]])
            axes.errorbar(mean.value, name, xerr=ends, fmt="o", color="C0", capsize=3)
        axes.set(xlabel=label)
        axes.grid(alpha=0.3)
    return svg(figure).encode()
