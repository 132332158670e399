"""Accuracy against epochs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure

from lightly_contrawarp.evaluation.report.pictures import svg

Curve = Sequence[tuple[float, float]]


def plot_curves(curves: Mapping[str, Sequence[Curve]]) -> bytes:
    """Plots the mean curve of each variant, with the range over its seeds.

    Args:
        curves: For each name, the runs' pairs of epoch and accuracy; runs without a
            curve are left out.

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
        epochs = [epoch for epoch, _ in runs[0]]
        values = 100 * np.array([[value for _, value in run] for run in runs])
        color = f"C{index % 10}"
        axes.plot(epochs, values.mean(0), styles[index // 10], color=color,
                  marker=".", label=name)  # fmt: skip
        axes.fill_between(epochs, values.min(0), values.max(0), color=color, alpha=0.12)
    axes.set(xlabel="epoch", ylabel="accuracy of the quick probe, %")
    axes.grid(alpha=0.3)
    figure.legend(loc="outside right upper", fontsize=8, frameon=False)
    return svg(figure).encode()
