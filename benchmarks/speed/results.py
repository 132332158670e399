"""RESULTS.md and the plot, from what was measured."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.page import render, say_all
from benchmarks.speed.parts import KINDS, NAMES, read_results
from benchmarks.speed.plot import plot_growth
from benchmarks.speed.table import SHARE
from lightly_contrawarp.files import atomic_write, atomic_write_text

_DEVICES = {"cpu": "CPU", "cuda": "GPU"}


def write_results(folder: Path, target: Path) -> str:
    """Writes ``RESULTS.md`` and ``growth.svg``.

    Args:
        folder: Where the results of the parts are.
        target: Folder to write to.

    Returns:
        A line that says what was written.

    Raises:
        InputError: If nothing was measured.
    """
    results = read_results(folder)
    parts = [
        {
            "title": kind.title,
            "devices": {
                _DEVICES[device]: results.get((kind.name, device))
                for device in kind.devices
            },
        }
        for kind in KINDS
    ]
    panels = plot_panels(results)
    text = render(
        Path(__file__).parent,
        {"number": number, "spread": spread, "verdict": verdict},
        parts=parts,
        names=",".join(NAMES),
        facts={
            key: say_all(results.values(), key)
            for key in ("commit", "versions", "hardware")
        },
        minutes=sum(result["seconds"] for result in results.values()) / 60,
        has_plot=bool(panels),
    )
    atomic_write_text(target / "RESULTS.md", text)
    if panels:
        atomic_write(target / "growth.svg", plot_growth(panels))
    return f"{target / 'RESULTS.md'}: {len(results)} parts"


def plot_panels(
    results: dict[tuple[str, str], dict[str, Any]],
) -> dict[str, dict[str, list[tuple[float, float]]]]:
    """Points ``(size, median)`` of each contender, by panel."""
    panels: dict[str, dict[str, list[tuple[float, float]]]] = {}
    for (_, device), result in results.items():
        for table in result["tables"]:
            if table["series"]:
                name = f"{_DEVICES[device]}: {table['series']}"
                lines = panels.setdefault(name, {})
                for row in table["rows"]:
                    if not row["name"].startswith(SHARE):
                        point = (table["x"], row["value"][1])
                        lines.setdefault(row["name"], []).append(point)
    return panels


def number(value: float) -> str:
    """Three significant digits, without an exponent."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}" if value >= 0.001 else f"{value:.4f}"


def spread(values: Sequence[float]) -> str:
    """A median with its quartiles."""
    low, median, high = map(number, values)
    return f"{median} ({low} to {high})"


def verdict(target: dict[str, Any]) -> str:
    """Whether a target was reached."""
    sign = 1 if target["at_least"] else -1
    reached = sign * target["measured"] >= sign * target["wanted"]
    return "reached" if reached else "**not reached**"
