"""Search results as one HTML page that needs no network and no other file."""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Sequence
from pathlib import Path

from contrawarp_edge.cli_errors import printable
from contrawarp_edge.errors import InputError
from contrawarp_edge.images import read_rgb
from contrawarp_edge.records import Hit

_THUMBNAIL = (224, 224)

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy"
  content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<title>Search: {title}</title>
<style>
:root {{ color-scheme: light dark; --line: #8883; --soft: #8881; --dim: #888; }}
* {{ box-sizing: border-box; }}
body {{ margin: 0 auto; max-width: 72rem; padding: 1.5rem;
  font: 15px/1.45 system-ui, sans-serif; }}
header {{ display: flex; gap: 1.25rem; align-items: center;
  padding-bottom: 1.25rem; border-bottom: 1px solid var(--line); }}
header .picture {{ width: 9rem; flex: none; }}
h1 {{ margin: 0 0 .25rem; font-size: 1.25rem; }}
p {{ margin: 0; }}
.path {{ font-size: .8rem; color: var(--dim); overflow-wrap: anywhere; }}
ol {{ list-style: none; margin: 1.25rem 0 0; padding: 0; display: grid; gap: 1rem;
  grid-template-columns: repeat(auto-fill, minmax(10rem, 1fr)); }}
li {{ padding: .6rem; border: 1px solid var(--line); border-radius: .6rem; }}
.picture {{ display: flex; align-items: center; justify-content: center;
  aspect-ratio: 1; overflow: hidden; border-radius: .35rem; background: var(--soft);
  color: var(--dim); font-size: .8rem; text-align: center; }}
.picture img {{ width: 100%; height: 100%; object-fit: contain; }}
.facts {{ display: flex; justify-content: space-between; margin: .5rem 0 .15rem;
  font-variant-numeric: tabular-nums; }}
.facts span {{ color: var(--dim); }}
</style>
</head>
<body>
<header>
{query_picture}
<div>
<h1>{count} most similar of {total}</h1>
<p class="path">{query_path}</p>
<p class="path">{gallery}</p>
</div>
</header>
<ol>
{cards}
</ol>
</body>
</html>
"""

_CARD = """<li>
{picture}
<p class="facts"><strong>{score:.3f}</strong><span>#{rank}</span></p>
<p class="path">{path}</p>
</li>"""


def render(query: Path, gallery: Path, total: int, hits: Sequence[Hit]) -> str:
    """Renders the page.

    Args:
        query: The image that was searched for.
        gallery: The gallery file, to name it.
        total: Number of images in the gallery.
        hits: The results, best first.

    Returns:
        HTML with all pictures inside. Originals that cannot be read any more are
        replaced by a note.
    """
    cards = [
        _CARD.format(
            picture=_picture(hit.path),
            score=hit.score,
            rank=rank,
            path=_escaped(hit.path),
        )
        for rank, hit in enumerate(hits, start=1)
    ]
    return _PAGE.format(
        title=_escaped(query.name),
        query_picture=_picture(query),
        query_path=_escaped(query),
        gallery=_escaped(gallery),
        count=len(hits),
        total=f"{total:,}",
        cards="\n".join(cards),
    )


def _picture(path: Path | str) -> str:
    try:
        image = read_rgb(path)
    except InputError:
        return '<div class="picture">original not readable</div>'
    image.thumbnail(_THUMBNAIL)
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=85)
    data = base64.b64encode(buffer.getvalue()).decode("ascii")
    return (
        f'<div class="picture"><img src="data:image/jpeg;base64,{data}" alt=""></div>'
    )


def _escaped(text: object) -> str:
    return html.escape(printable(text))
