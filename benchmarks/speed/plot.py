"""How times grow with size."""

from __future__ import annotations

import io
import math
from collections.abc import Mapping, Sequence

import matplotlib
from matplotlib.figure import Figure

_COLUMNS = 2


def plot_growth(
    panels: Mapping[str, Mapping[str, Sequence[tuple[float, float]]]],
) -> bytes:
    """Draws a panel for each series, with logarithmic axes.

    Args:
        panels: For each title the points ``(size, value)`` of each contender.

    Returns:
        An SVG file.
    """
    rows = math.ceil(len(panels) / _COLUMNS)
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": "growth"}):
        figure = Figure(figsize=(11, 4.2 * rows), layout="constrained")
        axes = figure.subplots(rows, _COLUMNS, squeeze=False).flat
        for panel, (title, lines) in zip(axes, panels.items(), strict=False):
            for name, points in lines.items():
                x, y = zip(*sorted(points), strict=True)
                panel.plot(x, y, marker="o", label=name)
            sizes = sorted({x for points in lines.values() for x, _ in points})
            panel.set(xscale="log", yscale="log", title=title)
            panel.set_xticks(sizes, [f"{size:,.0f}" for size in sizes])
            panel.minorticks_off()
            panel.margins(y=0.3)  # room for the names
            panel.grid(alpha=0.3)
            panel.legend(fontsize=8)
        for panel in list(figure.axes)[len(panels) :]:
            panel.remove()
        buffer = io.BytesIO()
        figure.savefig(buffer, format="svg", metadata={"Date": None})
    return buffer.getvalue()
