"""How measurements grow with a size: the lines of the plot, and a summary of each."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from benchmarks.speed.table import SHARE


@dataclass
class Line:
    """One contender of a panel.

    Attributes:
        name: What it is.
        role: ``OURS``, ``OTHER`` or ``BOUND``.
        points: Sizes and medians, from the smallest size on.
    """

    name: str
    role: str
    points: list[tuple[float, float]] = field(default_factory=list)


@dataclass
class Panel:
    """Contenders that were measured at several sizes.

    Attributes:
        title: What does not grow.
        axis: What grows.
        unit: Of the values.
        lines: The contenders.
    """

    title: str
    axis: str
    unit: str
    lines: list[Line] = field(default_factory=list)

    def add(self, row: Mapping[str, Any], size: float) -> None:
        """Adds the median of a row of a table."""
        line = next((line for line in self.lines if line.name == row["name"]), None)
        if line is None:
            line = Line(row["name"], row["role"])
            self.lines.append(line)
        line.points = sorted([*line.points, (size, row["value"][1])])

    @property
    def sizes(self) -> list[float]:
        """All sizes, from the smallest on."""
        return sorted({size for line in self.lines for size, _ in line.points})

    @property
    def doubles(self) -> bool:
        """Whether sizes are compared by their ratio; not if one of them is 0."""
        return self.sizes[0] > 0

    @property
    def summaries(self) -> list[tuple[str, Summary]]:
        """Names of contenders, and how they grow.

        Left out are contenders of one size, and those that do not depend on it: their
        one value stands at all sizes.
        """
        return [
            (line.name, summarise(line.points, self.doubles))
            for line in self.lines
            if len({value for _, value in line.points}) > 1
        ]


class Summary(NamedTuple):
    """How a value changes from the smallest to the largest size.

    A change is the factor for each doubling of the size or, if a size is 0, what each
    further one adds.

    Attributes:
        smallest: The size where it begins.
        largest: The size where it ends.
        first: Value at the smallest size.
        last: Value at the largest size.
        fitted: Change over all sizes, by least squares.
        at_first: Change from the smallest size to the next one.
        at_last: Change to the largest size from the one before.
    """

    smallest: float
    largest: float
    first: float
    last: float
    fitted: float
    at_first: float
    at_last: float


def summarise(points: Iterable[tuple[float, float]], doubles: bool) -> Summary:
    """Fits a line through at least two points, in logarithms if sizes double."""
    sizes, values = np.array(sorted(points), dtype=float).T
    x, y = (np.log2(sizes), np.log2(values)) if doubles else (sizes, values)
    changes = np.array([np.polyfit(x, y, 1)[0], *(np.diff(y) / np.diff(x))[[0, -1]]])
    if doubles:
        changes = 2**changes
    ends = (sizes[0], sizes[-1], values[0], values[-1])
    return Summary(*map(float, (*ends, *changes)))


def panels_of(tables: Iterable[Mapping[str, Any]]) -> list[Panel]:
    """The panels of one part on one device, without those of a single size.

    Args:
        tables: Its tables, as plain values.

    Returns:
        Panels, with those of an axis beside each other.
    """
    panels: dict[str, dict[str, Panel]] = {}
    for table in tables:
        for growth in table["growth"]:
            new = Panel(growth["panel"], growth["axis"], table["unit"])
            panel = panels.setdefault(new.axis, {}).setdefault(new.title, new)
            for row in table["rows"]:
                if not row["name"].startswith(SHARE):
                    panel.add(row, growth["at"])
    found = [panel for some in panels.values() for panel in some.values()]
    return [panel for panel in found if len(panel.sizes) > 1]
