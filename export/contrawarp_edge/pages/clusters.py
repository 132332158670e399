"""Groups of similar images as one page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from contrawarp_edge.pages.parts import escaped, page, picture

_STYLE = """section { margin-top: 1.5rem; }
h2 { margin: 0 0 .5rem; font-size: 1rem; }
h2 span { color: var(--dim); font-weight: normal; }
.row { display: grid; gap: .5rem;
  grid-template-columns: repeat(auto-fill, minmax(6rem, 1fr)); }
.row figure { margin: 0; }
figcaption { font-size: .75rem; color: var(--dim); overflow-wrap: anywhere; }
"""


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
    sections = "\n".join(map(_section, rows))
    head = (
        f"<header>\n<h1>{len(rows)} groups of {total:,} images</h1>\n"
        f'<p class="path">{escaped(gallery)}</p>\n</header>\n'
    )
    return page(f"Groups: {escaped(gallery.name)}", _STYLE, head + sections)


def _section(row: ClusterRow) -> str:
    figures = "\n".join(
        f'<figure title="{escaped(path)}">{picture(path, 128)}'
        f"<figcaption>{score:.3f} {escaped(Path(path).name)}</figcaption></figure>"
        for path, score in row.examples
    )
    return (
        f"<section>\n<h2>Group {row.label} <span>{row.size:,} images, mean score "
        f'{row.score:.3f}</span></h2>\n<div class="row">\n{figures}\n</div>\n</section>'
    )
