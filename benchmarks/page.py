"""Writing a RESULTS.md, and the numbers in it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import jinja2


def render(
    folder: Path, filters: Mapping[str, Callable[..., str]], **values: Any
) -> str:
    """Fills in the ``RESULTS.md.j2`` of a benchmark.

    Args:
        folder: Where the template is.
        filters: What turns values into text, by name.
        **values: What it shows.
    """
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(folder),
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
        autoescape=False,  # Markdown
    )
    environment.filters |= filters
    return environment.get_template("RESULTS.md.j2").render(**values)


def say_all(results: Iterable[Mapping[str, Any]], key: str) -> str:
    """The distinct values of a fact in words, such as several commits."""

    def say(value: Any) -> str:
        if not isinstance(value, dict):
            return str(value)
        return ", ".join(f"{k} {v}" for k, v in value.items() if v is not None)

    return "; ".join(dict.fromkeys(say(result[key]) for result in results))


def number(value: float) -> str:
    """Three significant digits, without an exponent."""
    if value == 0:
        return "0"
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}" if value >= 0.001 else f"{value:.4f}"


def spread(values: Sequence[float]) -> str:
    """A median with its quartiles."""
    low, median, high = map(number, values)
    return f"{median} ({low} to {high})"
