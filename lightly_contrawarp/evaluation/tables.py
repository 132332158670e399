"""Tables to read: a row for each encoder, a column for each number."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from lightly_contrawarp.evaluation.statistics.intervals import Estimate, Interval
from lightly_contrawarp.evaluation.statistics.scores import ScoreMeans

_Result = TypeVar("_Result")


@dataclass(frozen=True)
class Table:
    """A table of text.

    Attributes:
        title: What is measured.
        note: How to read it, in a sentence or two.
        header: Titles of the columns, of which the first names the rows.
        rows: The cells.
    """

    title: str
    note: str
    header: list[str]
    rows: list[list[str]]

    def to_text(self) -> str:
        """The table in columns of equal width, with its title in the corner."""
        lines = [[self.title, *self.header[1:]], *self.rows]
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        return "\n".join(
            "  ".join(
                cell.rjust(width) if column else cell.ljust(width)
                for column, (cell, width) in enumerate(zip(line, widths, strict=True))
            )
            for line in lines
        )


def encoder_table(
    title: str,
    note: str,
    results: Mapping[str, _Result],
    columns: Mapping[str, Callable[[_Result], str]],
    chance: Sequence[str] = (),
) -> Table:
    """A table with a row for each encoder.

    Args:
        title: What is measured; percentages, unless the note says otherwise.
        note: How to read it.
        results: What was measured, by the name of the encoder.
        columns: What makes a cell of a result, by the title of the column.
        chance: The cells of a last row that says what chance gives.
    """
    rows = [
        [name, *(cell(result) for cell in columns.values())]
        for name, result in results.items()
    ]
    if chance:
        rows.append(["chance", *chance])
    return Table(title, note, ["encoder", *columns], rows)


def percent(fraction: float) -> str:
    """Percent with one decimal, without the sign."""
    return f"{100 * fraction:.1f}"


def with_interval(
    value: float, interval: Interval, form: Callable[[float], str] = percent
) -> str:
    """A value and, in brackets, the ends of its interval."""
    low, high = interval
    return f"{form(value)} ({form(low)} to {form(high)})"


def estimate_cell(
    estimate: Estimate | None, form: Callable[[float], str] = percent
) -> str:
    """An estimate with its interval, or a dash if there is none."""
    if estimate is None:
        return "-"
    return with_interval(estimate.value, estimate.interval, form)


SCORE_COLUMNS: dict[str, Callable[[ScoreMeans], str]] = {
    "accuracy": lambda s: with_interval(s.accuracy, s.interval),
    "mean class": lambda s: with_interval(s.mean_class_accuracy, s.mean_class_interval),
    "macro F1": lambda s: with_interval(s.macro_f1, s.macro_f1_interval),
}
"""The columns of predicted classes; see `encoder_table`."""
