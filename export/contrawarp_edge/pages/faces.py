"""Images and their expressions as one page."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from contrawarp_edge.gallery.records import Record
from contrawarp_edge.pages import templating


def render(
    records: Sequence[Record],
    source: Path,
    notes: Sequence[str] = (),
    sort: str | None = None,
) -> str:
    """Renders the page.

    Args:
        records: The images, in the order in which they are shown.
        source: The model or the gallery, to name it.
        notes: Conditions and other things worth saying, a line each.
        sort: The class by which they are ordered; its bar stands out.

    Returns:
        HTML with all pictures inside. Originals that cannot be read any more are
        replaced by a note.
    """
    return templating.render(
        "faces", records=records, source=source, notes=notes, sort=sort
    )
