"""Search results as one page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from contrawarp_edge.gallery.records import Hit
from contrawarp_edge.pages import templating


@dataclass(frozen=True)
class Question:
    """What was searched for, to be shown above the hits.

    Attributes:
        like: Paths of the images that hits should be like.
        unlike: Paths of those that they should not be like.
        notes: Conditions and other things worth saying, a line each.
        sort: The class by whose probability hits are ordered; None by their score.
    """

    like: Sequence[Path | str]
    unlike: Sequence[Path | str] = ()
    notes: Sequence[str] = field(default=())
    sort: str | None = None

    @property
    def names(self) -> str:
        """The files' names, for the title."""
        return ", ".join(Path(path).name for path in self.like)


def render(question: Question, gallery: Path, total: int, hits: Sequence[Hit]) -> str:
    """Renders the page.

    Args:
        question: What was searched for.
        gallery: The gallery file, to name it.
        total: Number of images in the gallery.
        hits: The results, best first.

    Returns:
        HTML with all pictures inside. Originals that cannot be read any more are
        replaced by a note.
    """
    return templating.render(
        "hits", question=question, gallery=gallery, total=total, hits=hits
    )
