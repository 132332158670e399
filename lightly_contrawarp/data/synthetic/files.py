"""Drawn faces as a folder of JPEG files."""

from __future__ import annotations

import csv
import json
import os
import tempfile
from dataclasses import replace
from pathlib import Path

from PIL import Image

from contrawarp_edge.align.crop import FACE_CROP, FIVE_POINTS
from contrawarp_edge.core.errors import InputError
from contrawarp_edge.inputs.images import FACES_CSV
from lightly_contrawarp.data.faces_csv import POINT_COLUMNS, csv_header
from lightly_contrawarp.data.labelled import LabelledItem
from lightly_contrawarp.data.synthetic.landmarks import face_landmarks
from lightly_contrawarp.data.synthetic.parameters import (
    ACTIONS,
    EMOTIONS,
    FaceParameters,
    draw_parameters,
)
from lightly_contrawarp.data.synthetic.render import render_faces

SETTINGS_NAME = "drawn_faces.json"
IDENTITY_PATTERN = r"id(\d+)_"
"""Finds the identity in the names of the files."""

# To be raised when the same settings give other files.
DRAWING_VERSION = 2
_JPEG_QUALITY = 95
_CHUNK = 256


def save_drawn_faces(
    folder: Path,
    num_faces: int,
    *,
    num_identities: int,
    seed: int,
    size: int,
    labelled: bool,
) -> None:
    """Write drawn faces to a new folder, whole or not at all.

    The faces go to ``<emotion>/id00012_000345.jpg`` (identity 12, face 345), or to the
    folder itself if they are not to be labelled. ``faces.csv`` has a row for each with
    its path and landmarks, as ``contrawarp-edge align`` writes them, the name of its
    emotion, its identity and its actions. A folder that has the same faces already is
    left as it is.

    Args:
        folder: Where to write; it must be missing, empty or hold the same faces.
        num_faces: Number of faces.
        num_identities: Number of people.
        seed: As for ``draw_parameters``.
        size: Height and width of the images.
        labelled: Whether to sort the faces into a folder for each emotion.

    Raises:
        FileExistsError: If the folder holds anything else.
    """
    folder = Path(folder)
    settings: dict[str, int] = {
        "version": DRAWING_VERSION,
        "num_faces": num_faces,
        "num_identities": num_identities,
        "seed": seed,
        "size": size,
        "labelled": labelled,
    }
    if _holds(folder, settings):
        return
    if folder.exists() and not (folder.is_dir() and not any(folder.iterdir())):
        raise FileExistsError(
            f"{folder} holds something other than the drawn faces asked for; "
            "remove it or choose another folder"
        )
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(
        dir=folder.parent, prefix=f".{folder.name}-"
    ) as scratch:
        draft = Path(scratch) / folder.name
        draft.mkdir()
        parameters = draw_parameters(
            num_faces, num_identities=num_identities, seed=seed
        )
        files = _file_names(parameters, labelled)
        _write_images(draft, files, parameters, size)
        _write_table(draft / FACES_CSV, files, parameters)
        (draft / SETTINGS_NAME).write_text(json.dumps(settings, indent=2) + "\n")
        try:
            os.replace(draft, folder)
        except OSError:
            # Another process may have finished the same faces first.
            if not _holds(folder, settings):
                raise


def _holds(folder: Path, settings: dict[str, int]) -> bool:
    try:
        recorded = json.loads((folder / SETTINGS_NAME).read_text())
        with (folder / FACES_CSV).open(newline="") as table:
            files = [row["path"] for row in csv.DictReader(table)]
    except (OSError, ValueError, KeyError):
        return False
    return bool(recorded == settings) and all((folder / f).is_file() for f in files)


def _file_names(parameters: FaceParameters, labelled: bool) -> list[str]:
    names = []
    for index, (label, identity) in enumerate(
        zip(parameters.labels.tolist(), parameters.identities.tolist(), strict=True)
    ):
        name = f"id{identity:05d}_{index:06d}.jpg"
        names.append(f"{EMOTIONS[label]}/{name}" if labelled else name)
    return names


def _write_images(
    folder: Path, files: list[str], parameters: FaceParameters, size: int
) -> None:
    for start in range(0, len(files), _CHUNK):
        part = slice(start, start + _CHUNK)
        images = render_faces(parameters[part], size=size).permute(0, 2, 3, 1)
        for file, pixels in zip(files[part], images.contiguous().numpy(), strict=True):
            path = folder / file
            path.parent.mkdir(exist_ok=True)
            Image.fromarray(pixels).save(path, quality=_JPEG_QUALITY)


def _write_table(path: Path, files: list[str], parameters: FaceParameters) -> None:
    names = list(FACE_CROP.landmarks)
    five = face_landmarks(parameters)[:, [names.index(name) for name in FIVE_POINTS]]
    with path.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, csv_header("label", "identity", *ACTIONS))
        writer.writeheader()
        for file, label, identity, points, actions in zip(
            files,
            parameters.labels.tolist(),
            parameters.identities.tolist(),
            five.flatten(1).tolist(),
            parameters.actions.tolist(),
            strict=True,
        ):
            values = zip((*POINT_COLUMNS, *ACTIONS), (*points, *actions), strict=True)
            writer.writerow(
                {"path": file, "label": EMOTIONS[label], "identity": identity}
                | {name: f"{value:.6f}" for name, value in values}
            )


def with_actions(folder: Path, items: list[LabelledItem]) -> list[LabelledItem]:
    """Gives drawn faces their targets: how much of each action they show.

    Args:
        folder: Any folder.
        items: Its images.

    Returns:
        The same items, if the folder was not written by `save_drawn_faces`.

    Raises:
        InputError: If its table is damaged.
    """
    table = folder / FACES_CSV
    if not (folder / SETTINGS_NAME).is_file() or not table.is_file():
        return items
    try:
        with table.open(newline="") as stream:
            known = {
                str(folder / row["path"]): {name: float(row[name]) for name in ACTIONS}
                for row in csv.DictReader(stream)
            }
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"{table}: damaged; draw the faces again") from error
    return [replace(item, targets=known.get(item.name, {})) for item in items]
