"""Ranges of the numbers that options of several commands take."""

from __future__ import annotations

import math
from typing import Any

import click


class FiniteRange(click.FloatRange):
    """A ``click.FloatRange`` without ``nan`` and ``inf``, which compare as in range."""

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Reads a number."""
        number = float(super().convert(value, param, ctx))
        if not math.isfinite(number):
            self.fail(f"{value} is not a finite number", param, ctx)
        return number


INPUT_SIZE = click.IntRange(16, 2048)
NUM_NEGATIVES = click.IntRange(0, 64)
SEED = click.IntRange(0, 2**32 - 1)
"""What NumPy takes."""
