"""The actions of drawn faces that were written to a folder."""

from __future__ import annotations

import csv
from pathlib import Path

from contrawarp_edge.errors import InputError
from contrawarp_edge.images import FACES_CSV
from lightly_contrawarp.data.drawn_faces.files import SETTINGS_NAME
from lightly_contrawarp.data.drawn_faces.parameters import ACTIONS


def read_actions(folder: Path) -> dict[str, list[float]]:
    """Reads how much of each action every face of a folder shows.

    Args:
        folder: Any folder.

    Returns:
        Values in the order of ``ACTIONS`` by path of the face, which begins with
        ``folder``; nothing if the folder was not written by ``save_drawn_faces``.

    Raises:
        InputError: If its table is damaged.
    """
    table = folder / FACES_CSV
    if not (folder / SETTINGS_NAME).is_file() or not table.is_file():
        return {}
    try:
        with table.open(newline="") as stream:
            return {
                str(folder / row["path"]): [float(row[name]) for name in ACTIONS]
                for row in csv.DictReader(stream)
            }
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"{table}: damaged; draw the faces again") from error
