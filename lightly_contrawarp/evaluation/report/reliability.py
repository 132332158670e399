"""The reliability diagram: how often predictions of a confidence are right."""

from __future__ import annotations

from matplotlib.figure import Figure

from lightly_contrawarp.evaluation.statistics.calibration import BINS, Calibration


def reliability_diagram(measured: Calibration) -> Figure:
    """Draws the share that is right against the confidence, and where images lie.

    Args:
        measured: The bins of a run.
    """
    bins = measured.reliability
    confidence = [one.confidence for one in bins]
    figure = Figure(figsize=(4.5, 4), layout="constrained")
    above, below = figure.subplots(
        2, 1, sharex=True, gridspec_kw={"height_ratios": [3, 1]}
    )
    above.plot([0, 1], [0, 1], color="gray", linestyle=":", linewidth=1)
    above.plot(confidence, [one.accuracy for one in bins], marker="o", color="#2a7d46")
    above.set(ylabel="share that is right", xlim=(0, 1), ylim=(0, 1))
    below.bar(confidence, [one.images for one in bins], 0.6 / BINS, color="#888888")
    below.set(xlabel="confidence", ylabel="images")
    return figure
