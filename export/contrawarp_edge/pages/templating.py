"""Pages from templates: their text is escaped, and their pictures are inside."""

from __future__ import annotations

import base64
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from contrawarp_edge.core.errors import InputError
from contrawarp_edge.core.text import printable
from contrawarp_edge.inputs.originals import small_jpeg

if TYPE_CHECKING:
    import jinja2


def render(template: str, **values: Any) -> str:
    """Fills in a template.

    Args:
        template: Its name, without ``.html.j2``.
        **values: What it shows. Text is escaped, and control characters become ``?``.
    """
    return _environment().get_template(f"{template}.html.j2").render(**values)


@lru_cache(maxsize=1)
def _environment() -> jinja2.Environment:
    import jinja2  # not quick, and commands need it for --html only

    environment = jinja2.Environment(
        loader=jinja2.PackageLoader(__package__),
        autoescape=True,
        trim_blocks=True,
        undefined=jinja2.StrictUndefined,
        finalize=_shown,
    )
    environment.filters.update(thumbnail=thumbnail, name=lambda path: Path(path).name)
    return environment


def _shown(value: object) -> object:
    return value if hasattr(value, "__html__") else printable(value)


def thumbnail(path: Path | str, side: int) -> str | None:
    """The original as a ``data:`` address of a JPEG, None if it cannot be read.

    Args:
        path: As a gallery keeps it; also that of a frame of a video.
        side: The longer side in pixels, at most.
    """
    try:
        data = base64.b64encode(small_jpeg(path, side)).decode("ascii")
    except InputError:
        return None
    return f"data:image/jpeg;base64,{data}"
