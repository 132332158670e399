"""Search results as one page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from contrawarp_edge.gallery.records import Hit
from contrawarp_edge.pages.parts import escaped, metadata_line, page, picture

_STYLE = """.queries { display: flex; flex-wrap: wrap; gap: .75rem; margin-top: 1rem; }
.queries figure { margin: 0; width: 8rem; }
.queries .not .picture { outline: 2px solid #c33; outline-offset: -2px; }
ol { list-style: none; margin: 1.25rem 0 0; padding: 0; display: grid; gap: 1rem;
  grid-template-columns: repeat(auto-fill, minmax(10rem, 1fr)); }
li { padding: .6rem; border: 1px solid var(--line); border-radius: .6rem; }
.facts { display: flex; justify-content: space-between; margin: .5rem 0 .15rem;
  font-variant-numeric: tabular-nums; }
.facts span { color: var(--dim); }
"""

_BODY = """<header>
<h1>{count} most similar of {total}</h1>
<p class="path">{gallery}</p>
{notes}
<div class="queries">
{queries}
</div>
</header>
<ol>
{cards}
</ol>"""

_QUERY = """<figure{kind}>
{picture}
<figcaption class="path">{label} {path}</figcaption>
</figure>"""

_CARD = """<li>
{picture}
<p class="facts"><strong>{score:.3f}</strong><span>#{rank} · id {id}</span></p>
<p class="path">{path}</p>
{metadata}
</li>"""


@dataclass(frozen=True)
class Question:
    """What was searched for, to be shown above the hits.

    Attributes:
        likes: Paths of the images that hits should be like.
        nots: Paths of those that they should not be like.
        notes: Conditions and other things worth saying, a line each.
    """

    likes: Sequence[Path | str]
    nots: Sequence[Path | str] = ()
    notes: Sequence[str] = field(default=())


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
    queries = [_query(path, "like", "") for path in question.likes]
    queries += [_query(path, "not like", ' class="not"') for path in question.nots]
    cards = [
        _CARD.format(
            picture=picture(hit.path),
            score=hit.score,
            rank=rank,
            id=hit.id,
            path=escaped(hit.path),
            metadata=metadata_line(dict(hit.metadata)),
        )
        for rank, hit in enumerate(hits, start=1)
    ]
    body = _BODY.format(
        count=len(hits),
        total=f"{total:,}",
        gallery=escaped(gallery),
        notes="\n".join(
            f'<p class="path">{escaped(note)}</p>' for note in question.notes
        ),
        queries="\n".join(queries),
        cards="\n".join(cards),
    )
    names = ", ".join(Path(path).name for path in question.likes)
    return page(f"Search: {escaped(names)}", _STYLE, body)


def _query(path: Path | str, label: str, kind: str) -> str:
    return _QUERY.format(
        picture=picture(path), label=label, path=escaped(path), kind=kind
    )
