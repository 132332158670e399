"""Pictures and charts as bytes and as parts of a page."""

from __future__ import annotations

import base64
import io

import matplotlib
from matplotlib.figure import Figure
from PIL import Image


def encoded(image: Image.Image, image_format: str) -> bytes:
    """An image as the content of a file.

    Args:
        image: RGB image.
        image_format: ``PNG`` or ``JPEG``.
    """
    buffer = io.BytesIO()
    image.save(buffer, format=image_format)
    return buffer.getvalue()


def data_uri(image: Image.Image, image_format: str = "PNG") -> str:
    """A picture as an address that holds the picture itself; see :func:`encoded`."""
    data = base64.b64encode(encoded(image, image_format)).decode()
    return f"data:image/{image_format.lower()};base64,{data}"


def svg(figure: Figure) -> str:
    """A chart as an ``<svg>`` element; the same chart gives the same text."""
    buffer = io.StringIO()
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": "chart"}):
        figure.savefig(buffer, format="svg", metadata={"Date": None})
    text = buffer.getvalue()
    return text[text.index("<svg") :]
