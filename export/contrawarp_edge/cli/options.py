"""What several commands share: types of arguments, and the model of a gallery."""

from __future__ import annotations

from pathlib import Path

import click

from contrawarp_edge.errors import InputError
from contrawarp_edge.gallery import Gallery

FILE = click.Path(path_type=Path)


def remembered_model(gallery: Gallery) -> Path:
    """The model that a gallery was last written with.

    Raises:
        InputError: If it is not known or not there any more.
    """
    path = gallery.model_path
    if path is None or not path.is_file():
        raise InputError(
            f"{gallery.path}: its model {path or ''} is gone; name it with --model"
        )
    return path
