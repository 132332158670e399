"""How times and rates grow with size: a row of panels for each part."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from benchmarks.speed.growth import Line, Panel
from benchmarks.speed.table import BOUND, OTHER, OURS
from lightly_contrawarp.evaluation.report.pictures import svg

_COLUMNS = 3
_WIDTH, _HEIGHT, _LEGEND_LINE = 12.0, 3.0, 0.22  # inches
_COLOURS = {
    OURS: ("#08519c", "#2a9df4", "#7b3294", "#17becf"),
    OTHER: ("#d94801", "#a50f15", "#fdae3b"),
    BOUND: ("#525252", "#a0a0a0"),
}
_STYLES = {OURS: ("-", "o"), OTHER: ("-", "s"), BOUND: ("--", "^")}


def plot_growth(parts: Mapping[str, Sequence[Panel]]) -> bytes:
    """Draws small multiples, logarithmic where no size is 0.

    Blue and violet are contenders of these packages, red and orange those of other
    libraries, dashed grey are bounds. A contender keeps its colour within a part.

    Args:
        parts: Panels of each part, by its title.

    Returns:
        An SVG file.
    """
    styles = {title: styles_of(panels) for title, panels in parts.items()}
    heights = [
        math.ceil(len(panels) / _COLUMNS) * _HEIGHT
        + math.ceil(len(styles[title]) / _COLUMNS) * _LEGEND_LINE
        + 0.3  # the title
        for title, panels in parts.items()
    ]
    figure = Figure(figsize=(_WIDTH, sum(heights)), layout="constrained")
    rows = figure.subfigures(
        len(parts), 1, squeeze=False, height_ratios=heights, hspace=0.02
    )
    for row, (title, panels) in zip(rows[:, 0], parts.items(), strict=True):
        _draw_part(row, title, panels, styles[title])
    return svg(figure).encode()


def styles_of(panels: Sequence[Panel]) -> dict[str, dict[str, str]]:
    """How each contender of a part is drawn."""
    roles = {line.name: line.role for panel in panels for line in panel.lines}
    styles: dict[str, dict[str, str]] = {}
    for name, role in roles.items():
        before = sum(other == role for other in list(roles.values())[: len(styles)])
        dash, marker = _STYLES[role]
        colour = _COLOURS[role][before % len(_COLOURS[role])]
        styles[name] = {"color": colour, "linestyle": dash, "marker": marker}
    return styles


def _draw_part(
    figure: SubFigure,
    title: str,
    panels: Sequence[Panel],
    styles: Mapping[str, Mapping[str, str]],
) -> None:
    figure.suptitle(title, fontsize=12, fontweight="bold", x=0.01, ha="left")
    rows = math.ceil(len(panels) / _COLUMNS)
    axes = list(figure.subplots(rows, _COLUMNS, squeeze=False).flat)
    drawn = {}
    for axis, panel in zip(axes, panels, strict=False):
        for line in panel.lines:
            (drawn[line.name],) = axis.plot(
                *_coordinates(line), label=line.name, markersize=4, **styles[line.name]
            )
        _label(axis, panel)
    for axis in axes[len(panels) :]:
        axis.set_axis_off()
    handles = [drawn[name] for name in styles]
    figure.legend(
        handles=handles, loc="outside lower left", ncols=_COLUMNS, fontsize=8.5,
        frameon=False,
    )  # fmt: skip


def _coordinates(line: Line) -> tuple[list[float], list[float]]:
    return [x for x, _ in line.points], [y for _, y in line.points]


def _label(axis: Axes, panel: Panel) -> None:
    better = "more is better" if panel.unit.endswith("/s") else "less is better"
    axis.set_title(panel.title, fontsize=10)
    axis.set_xlabel(panel.axis, fontsize=9)
    axis.set_ylabel(f"{panel.unit} ({better})", fontsize=9)
    axis.tick_params(labelsize=8)
    axis.grid(alpha=0.3)
    if panel.doubles:
        axis.set(xscale="log", yscale="log")
        _few_ticks(axis)
    else:
        axis.set_ylim(bottom=0)
    axis.yaxis.set_major_formatter(FuncFormatter(lambda value, _: short(value)))
    axis.set_xticks(panel.sizes, [short(size) for size in panel.sizes])
    axis.tick_params(axis="x", which="minor", bottom=False, labelbottom=False)


def _few_ticks(axis: Axes) -> None:
    """Ticks of a logarithmic axis: the more, the shorter it is."""
    low, high = axis.get_ylim()
    if high / low < 3:  # nearly flat: show that it is
        middle = math.sqrt(low * high)
        low, high = middle / 2, middle * 2
        axis.set_ylim(low, high)
    steps: tuple[float, ...] = (1.0,)
    if high / low < 200:
        steps = (1.0, 2.0, 5.0) if high / low > 10 else (1.0, 1.5, 2.0, 3.0, 5.0, 7.0)
    axis.yaxis.set_major_locator(LogLocator(subs=steps))
    axis.yaxis.set_minor_formatter(NullFormatter())


def short(value: float) -> str:
    """A number in few characters, such as ``10k`` or ``0.5``."""
    for limit, unit in ((1e6, "M"), (1e3, "k")):
        if value >= limit:
            return f"{value / limit:.3g}{unit}"
    return f"{value:.3g}"
