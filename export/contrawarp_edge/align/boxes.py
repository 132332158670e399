"""Boxes around faces."""

from __future__ import annotations

from typing import TypeAlias

Box: TypeAlias = tuple[float, float, float, float]
"""``(left, top, right, bottom)``."""


def area(box: Box) -> float:
    """Of a box; 0 if its sides are in the wrong order."""
    return max(0.0, box[2] - box[0]) * max(0.0, box[3] - box[1])


def overlap(one: Box, other: Box) -> float:
    """Intersection over union, 0 to 1."""
    shared = area(
        (
            max(one[0], other[0]),
            max(one[1], other[1]),
            min(one[2], other[2]),
            min(one[3], other[3]),
        )
    )
    union = area(one) + area(other) - shared
    return shared / union if union > 0 else 0.0
