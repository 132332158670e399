"""Checks of numbers that users choose."""

from __future__ import annotations

import math

from contrawarp_edge.core.errors import InputError


def check_range(
    name: str,
    value: float,
    low: float,
    high: float = math.inf,
    *,
    low_open: bool = False,
) -> None:
    """Refuses a number that is not finite, or outside of its range.

    Args:
        name: What the number is called.
        value: The number.
        low: Smallest value.
        high: Largest value.
        low_open: Whether ``low`` itself is outside.

    Raises:
        InputError: The message names both.

    Examples:
        >>> check_range("momentum", 0.99, 0, 1)
        >>> check_range("lr", float("nan"), 0, low_open=True)
        Traceback (most recent call last):
        contrawarp_edge.core.errors.InputError: lr must be greater than 0, got nan
    """
    inside = low < value if low_open else low <= value
    if inside and value <= high and math.isfinite(value):
        return
    wanted = f"greater than {low:g}" if low_open else f"at least {low:g}"
    if math.isfinite(high):
        wanted += f" and at most {high:g}"
    raise InputError(f"{name} must be {wanted}, got {value}")


def check_interval(
    name: str, bounds: tuple[float, float], low: float, *, low_open: bool = False
) -> None:
    """Refuses two numbers that are not the ends of a range within another.

    Args:
        name: What the range is called.
        bounds: Its ends, the lower one first; they may be the same.
        low: Smallest value.
        low_open: Whether ``low`` itself is outside.

    Raises:
        InputError: The message names both.

    Examples:
        >>> check_interval("radius", (0.5, 0.9), 0, low_open=True)
        >>> check_interval("strength", (0.3, 0.1), 0)
        Traceback (most recent call last):
        contrawarp_edge.core.errors.InputError: strength must rise, got (0.3, 0.1)
    """
    for bound in bounds:
        check_range(name, bound, low, low_open=low_open)
    if bounds[0] > bounds[1]:
        raise InputError(f"{name} must rise, got {bounds}")
