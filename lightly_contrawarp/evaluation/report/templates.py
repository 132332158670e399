"""Templates to text: pages as HTML, model cards and results as Markdown."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import jinja2

_ROOT = Path(__file__).parents[2]


def render(
    template: str,
    *,
    root: Path = _ROOT,
    filters: Mapping[str, Callable[..., str]] | None = None,
    **values: Any,
) -> str:
    """Fills in a template; values are escaped in those named ``.html.j2``.

    Args:
        template: Path below ``root``, such as ``demo/report.html.j2``.
        root: This package, or another folder.
        filters: What turns values into text, by name.
        **values: What it shows; what is missing is an error.
    """
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(root),
        autoescape=jinja2.select_autoescape(["html.j2"]),
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters |= filters or {}
    return environment.get_template(template).render(**values)
