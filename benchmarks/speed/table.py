"""What a part of the benchmark hands on: tables and targets, as plain values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from benchmarks.speed.timing import Spread, Times, ratio

SHARE = "of it: "
"""Begins the names of rows that are a share of the row before."""


@dataclass(frozen=True)
class Row:
    """One contender.

    Attributes:
        name: What it is.
        value: In the unit of the table.
        ratio: Its time divided by that of the table's reference; ``None`` if that
            means nothing.
        extra: Further columns, in words.
    """

    name: str
    value: Spread
    ratio: Spread | None = None
    extra: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Table:
    """Contenders that were measured side by side.

    Attributes:
        title: The setting.
        unit: Of the values.
        reference: The contender that ratios are relative to, or empty.
        rows: The contenders.
        series: Name of the plot's panel, or empty.
        x: The setting's place on the axis of the plot.
    """

    title: str
    unit: str
    reference: str
    rows: list[Row]
    series: str = ""
    x: float = 0.0


@dataclass(frozen=True)
class Target:
    """A number that was aimed at.

    Attributes:
        says: What is measured, in words.
        wanted: The aim.
        at_least: Whether more is better.
        measured: The number.
    """

    says: str
    wanted: float
    at_least: bool
    measured: float


@dataclass
class Part:
    """All that one part of the benchmark measured on one device."""

    tables: list[Table] = field(default_factory=list)
    targets: list[Target] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def table_of_times(
    title: str,
    times: Times,
    reference: str,
    *,
    per: float = 1,
    rate: str = "",
    extra: Mapping[str, dict[str, str]] | None = None,
    series: str = "",
    x: float = 0.0,
    unit: str = "ms an image",
) -> Table:
    """Turns the times of a race into a table.

    Args:
        title: The setting.
        times: Seconds of a call.
        reference: The contender that ratios are relative to.
        per: Things that a call makes, such as images of a batch.
        rate: Show so many of these a second, such as ``"views/s"``, and not the time.
        extra: Further columns of contenders.
        series: Name of the plot's panel.
        x: Place on its axis.
        unit: Of the values, if there is no rate.
    """
    rows = []
    for name, seconds in times.items():
        values = [per / s if rate else 1000 * s / per for s in seconds]
        rows.append(
            Row(
                name,
                Spread.of(values),
                ratio(times, name, reference),
                dict((extra or {}).get(name, {})),
            )
        )
    return Table(title, rate or unit, reference, rows, series, x)
