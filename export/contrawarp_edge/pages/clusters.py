"""Groups of similar images as one page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from contrawarp_edge.pages import templating


@dataclass(frozen=True)
class ClusterRow:
    """One group on the page.

    Attributes:
        label: Number of the group.
        size: Number of images in it.
        score: Mean cosine similarity to the centre.
        examples: Paths and scores of the most typical images.
    """

    label: int
    size: int
    score: float
    examples: Sequence[tuple[str, float]]


def render(gallery: Path, total: int, rows: Sequence[ClusterRow]) -> str:
    """Renders the page.

    Args:
        gallery: The gallery file, to name it.
        total: Number of images in it.
        rows: The groups.

    Returns:
        HTML with all pictures inside.
    """
    return templating.render("clusters", gallery=gallery, total=total, rows=rows)
