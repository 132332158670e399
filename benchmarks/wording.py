"""What the RESULTS.md have in common: numbers and facts in words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any


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
