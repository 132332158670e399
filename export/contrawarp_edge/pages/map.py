"""Images as points of a map, in one page that shows a picture under the pointer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from contrawarp_edge.analysis.projection import Points
from contrawarp_edge.core.text import printable
from contrawarp_edge.pages import templating

_SIDE = 96

# Okabe and Ito's colours, which differ for colour-blind eyes too.
_COLOURS = ["#0072b2", "#e69f00", "#009e73", "#cc79a7"]
_COLOURS += ["#56b4e9", "#d55e00", "#b8a800", "#888888"]
MAX_COLOURS = len(_COLOURS) - 1


@dataclass(frozen=True)
class MapImage:
    """One image on the map.

    Attributes:
        id: Of the gallery.
        path: The original.
        kind: What it is coloured by.
    """

    id: int
    path: str
    kind: str


def render(
    gallery: Path,
    total: int,
    images: Sequence[MapImage],
    points: Points,
    method: str,
) -> str:
    """Renders the page.

    Args:
        gallery: The gallery file, to name it.
        total: Number of images in it.
        images: The images on the map.
        points: ``(N, 2)``, where they are.
        method: What the axes are, for the reader.

    Returns:
        HTML with a small picture of each image inside.
    """
    colours = _colours(images)
    rows = [
        {
            "x": round(float(x), 5),
            "y": round(float(y), 5),
            "id": image.id,
            "p": printable(image.path),
            "c": colours[image.kind],
            "t": templating.thumbnail(image.path, _SIDE),
        }
        for image, (x, y) in zip(images, points, strict=True)
    ]
    return templating.render(
        "map",
        gallery=gallery,
        total=total,
        points=rows,
        method=method,
        colours=colours,
    )


def _colours(images: Sequence[MapImage]) -> dict[str, str]:
    """A colour for each kind; the rarest share the last one."""
    count: dict[str, int] = {}
    for image in images:
        count[image.kind] = count.get(image.kind, 0) + 1
    kinds = sorted(count, key=lambda kind: (-count[kind], kind))
    return {kind: _COLOURS[min(i, MAX_COLOURS)] for i, kind in enumerate(kinds)}
