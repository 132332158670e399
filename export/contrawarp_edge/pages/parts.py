"""What the pages are put together from: the frame, pictures and escaped text."""

from __future__ import annotations

import base64
import html
import io
from pathlib import Path

from contrawarp_edge.core.errors import InputError
from contrawarp_edge.core.text import printable
from contrawarp_edge.inputs.originals import read_original

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy"
  content="default-src 'none'; img-src data:; style-src 'unsafe-inline'{scripts}">
<title>{title}</title>
<style>
:root {{ color-scheme: light dark; --line: #8883; --soft: #8881; --dim: #767676; }}
@media (prefers-color-scheme: dark) {{ :root {{ --dim: #9a9a9a; }} }}
* {{ box-sizing: border-box; }}
body {{ margin: 0 auto; max-width: 72rem; padding: 1.5rem;
  font: 15px/1.45 system-ui, sans-serif; }}
header {{ padding-bottom: 1.25rem; border-bottom: 1px solid var(--line); }}
h1 {{ margin: 0 0 .25rem; font-size: 1.25rem; }}
p {{ margin: 0; }}
.path {{ font-size: .8rem; color: var(--dim); overflow-wrap: anywhere; }}
.picture {{ display: flex; align-items: center; justify-content: center;
  aspect-ratio: 1; overflow: hidden; border-radius: .35rem; background: var(--soft);
  color: var(--dim); font-size: .8rem; text-align: center; }}
.picture img {{ width: 100%; height: 100%; object-fit: contain; }}
{style}</style>
</head>
<body>
{body}
</body>
</html>
"""


def page(title: str, style: str, body: str, *, has_script: bool = False) -> str:
    """A whole page; title and body are HTML already.

    Args:
        title: What the browser calls it.
        style: CSS besides that of all pages.
        body: What is in it.
        has_script: Whether there is a script in the body.
    """
    scripts = "; script-src 'unsafe-inline'" if has_script else ""
    return _PAGE.format(title=title, style=style, body=body, scripts=scripts)


def escaped(text: object) -> str:
    """Text that can stand anywhere in HTML."""
    return html.escape(printable(text))


def thumbnail(path: Path | str, side: int) -> str | None:
    """The original as a ``data:`` address of a JPEG, None if it cannot be read.

    Args:
        path: As a gallery keeps it; also that of a frame of a video.
        side: The longer side in pixels, at most.
    """
    try:
        image = read_original(path)
    except InputError:
        return None
    image.thumbnail((side, side))
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=85)
    data = base64.b64encode(buffer.getvalue()).decode("ascii")
    return f"data:image/jpeg;base64,{data}"


def picture(path: Path | str, side: int = 224) -> str:
    """The original as an element, or a note that it cannot be read."""
    address = thumbnail(path, side)
    if address is None:
        return '<div class="picture">original not readable</div>'
    return f'<div class="picture"><img src="{address}" alt=""></div>'


def metadata_line(metadata: dict[str, object]) -> str:
    """Metadata as one line of HTML, empty if there is none."""
    facts = " · ".join(f"{escaped(key)}: {escaped(metadata[key])}" for key in metadata)
    return f'<p class="path">{facts}</p>' if facts else ""
