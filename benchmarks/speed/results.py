"""RESULTS.md and the plot, from what was measured."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from benchmarks.speed.growth import Panel, panels_of
from benchmarks.speed.parts import KINDS, NAMES, read_results
from benchmarks.speed.plot import plot_growth
from benchmarks.wording import number, say_all, spread
from contrawarp_edge.core.files import atomic_write, atomic_write_text
from lightly_contrawarp.evaluation.report.templates import render

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
    growths = growths_of(results)
    text = render(
        "RESULTS.md.j2",
        root=Path(__file__).parent,
        filters={
            "number": number,
            "signed": signed,
            "spread": spread,
            "verdict": verdict,
        },
        parts=parts,
        names=",".join(NAMES),
        facts={
            key: say_all(results.values(), key)
            for key in ("commit", "versions", "hardware")
        },
        minutes=sum(result["seconds"] for result in results.values()) / 60,
        growths=growths,
    )
    atomic_write_text(target / "RESULTS.md", text)
    if growths:
        atomic_write(target / "growth.svg", plot_growth(growths))
    return f"{target / 'RESULTS.md'}: {len(results)} parts"


def growths_of(
    results: dict[tuple[str, str], dict[str, Any]],
) -> dict[str, list[Panel]]:
    """Panels of each part and device that was measured at several sizes."""
    titles = {kind.name: kind.title for kind in KINDS}
    found = {
        f"{titles[name]}, {_DEVICES[device]}": panels_of(result["tables"])
        for (name, device), result in results.items()
    }
    return {title: panels for title, panels in found.items() if panels}


def signed(value: float) -> str:
    """What is added, with its sign."""
    return f"{'-' if value < 0 else '+'}{number(abs(value))}"


def verdict(target: dict[str, Any]) -> str:
    """Whether a target was reached."""
    sign = 1 if target["at_least"] else -1
    reached = sign * target["measured"] >= sign * target["wanted"]
    return "reached" if reached else "**not reached**"
