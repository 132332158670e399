"""Pages that need no network and no other file: templates, pictures and charts."""

from __future__ import annotations

import base64
import io
from typing import Any

import jinja2
import matplotlib
from matplotlib.figure import Figure
from PIL import Image


def render(template: str, **values: Any) -> str:
    """Fills in a template of this package; text is escaped.

    Args:
        template: Path below the package, such as ``demo/report.html.j2``.
        **values: What it shows.
    """
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("lightly_contrawarp", "."),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    return environment.get_template(template).render(**values)


def data_uri(image: Image.Image, image_format: str = "PNG") -> str:
    """A picture as an address that holds the picture itself.

    Args:
        image: RGB image.
        image_format: ``PNG`` or ``JPEG``.
    """
    buffer = io.BytesIO()
    image.save(buffer, format=image_format)
    data = base64.b64encode(buffer.getvalue()).decode()
    return f"data:image/{image_format.lower()};base64,{data}"


def svg(figure: Figure) -> str:
    """A chart as an ``<svg>`` element; the same chart gives the same text."""
    buffer = io.StringIO()
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": "chart"}):
        figure.savefig(buffer, format="svg", metadata={"Date": None})
    text = buffer.getvalue()
    return text[text.index("<svg") :]
