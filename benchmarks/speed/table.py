"""What a part of the benchmark hands on: tables and targets, as plain values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from benchmarks.speed.timing import Spread, Times, ratio

SHARE = "of it: "
"""Begins the names of rows that are a share of the row before."""

OURS, OTHER, BOUND = "ours", "other", "bound"
"""Roles of contenders: ours, of other libraries, and what does a part of the work."""


@dataclass(frozen=True)
class Row:
    """One contender.

    Attributes:
        name: What it is.
        value: In the unit of the table.
        ratio: Its time divided by that of the table's reference; ``None`` if that
            means nothing.
        extra: Further columns, in words.
        role: ``OURS``, ``OTHER`` or ``BOUND``.
    """

    name: str
    value: Spread
    ratio: Spread | None = None
    extra: dict[str, str] = field(default_factory=dict)
    role: str = OURS


@dataclass(frozen=True)
class Growth:
    """The place of a table among others that differ from it in one size.

    Attributes:
        panel: What they have in common; with the axis, it names a panel of the plot.
        axis: The size, with its unit.
        at: The size of this table.
    """

    panel: str
    axis: str
    at: float


@dataclass(frozen=True)
class Table:
    """Contenders that were measured side by side.

    Attributes:
        title: The setting.
        unit: Of the values.
        reference: The contender that ratios are relative to, or empty.
        rows: The contenders.
        growth: Where it stands in the plot.
    """

    title: str
    unit: str
    reference: str
    rows: list[Row]
    growth: list[Growth] = field(default_factory=list)


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
    roles: Mapping[str, str] | None = None,
    growth: Sequence[Growth] = (),
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
        roles: Those of contenders that are not ``OURS``.
        growth: Where the table stands in the plot.
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
                (roles or {}).get(name, OURS),
            )
        )
    return Table(title, rate or unit, reference, rows, list(growth))
