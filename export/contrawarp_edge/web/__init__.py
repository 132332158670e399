"""The search page: plain HTML, CSS and JavaScript without a build step.

One page serves two purposes. All it knows of where searching happens is the file
``backend.js``: ``service`` asks the REST service, ``browser`` runs the model on the
visitor's own machine.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

MEDIA_TYPES = {
    "css": "text/css; charset=utf-8",
    "html": "text/html; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
}
"""Media types of the page's files by extension."""

_FOLDER = Path(__file__).parent


def page_files(backend: Literal["service", "browser"]) -> dict[str, bytes]:
    """The files of the page by name, with ``backend.js`` for one of the purposes."""
    folders = [_FOLDER / "page", _FOLDER / backend]
    return {
        path.name: path.read_bytes()
        for folder in folders
        for path in sorted(folder.iterdir())
        if path.suffix.lstrip(".") in MEDIA_TYPES
    }
