"""Ranges of the numbers that options of several commands take."""

from __future__ import annotations

import click

INPUT_SIZE = click.IntRange(16, 2048)
NUM_NEGATIVES = click.IntRange(0, 64)
SEED = click.IntRange(0, 2**32 - 1)
"""What NumPy takes."""
