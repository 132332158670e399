"""AffectNet's 68 points, reduced to the landmarks that warps sit on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from contrawarp_edge.core.errors import InputError
from contrawarp_edge.inputs.images import iter_images
from lightly_contrawarp.data.face_box import Box, square_around
from lightly_contrawarp.data.sets.affectnet import (
    LEFT_OUT,
    csv_file_of,
    image_folder,
    listed_faces,
    npy_folder_of,
)
from lightly_contrawarp.data.sets.checks import warn_left_out
from lightly_contrawarp.data.tables import number
from lightly_contrawarp.data.threads import map_in_threads
from lightly_contrawarp.transforms.landmarks import from_68_points

_Marked = tuple[Path, Tensor, Box | None]


def affectnet_face_landmarks(
    root: Path, part: str, *, crop_faces: bool = False
) -> dict[Path, Tensor]:
    """The landmarks to warp around of each image of a part.

    Args:
        root: A copy with the csv lists or of the npy release.
        part: ``"train"`` or ``"validation"``.
        crop_faces: Whether the images are cut to their face box, as by ``open_set``;
            csv lists only.

    Returns:
        Float32 ``[P, 2]`` in the order of ``FACE_CROP``, as fractions of the image or
        its crop, by path of the image. Images that are missing, have no readable
        points or cannot be cropped are left out.

    Raises:
        InputError: If there are no landmarks, or a list is malformed; the message
            names the line.
    """
    if csv_file := csv_file_of(root, part):
        marked = list(_of_csv(root, csv_file))
    elif (folder := npy_folder_of(root, part)) and not crop_faces:
        marked = list(_of_npy(folder))
    else:
        wanted = "csv lists" if crop_faces else "csv lists or of the npy release"
        raise InputError(f"{root}: landmarks of {part} need a copy with the {wanted}")
    sizes = list(map_in_threads(_size_of, [path for path, *_ in marked]))
    found = {}
    for (path, points, box), size in zip(marked, sizes, strict=True):
        if size is None:
            continue
        left, top, right, bottom = (0, 0, *size)
        if crop_faces and box is not None:
            try:
                left, top, right, bottom = square_around(box, size)
            except InputError:  # there is no such crop
                continue
        extent = points.new_tensor([right - left, bottom - top])
        # A coordinate means the centre of its pixel.
        place = (points + 0.5 - points.new_tensor([left, top])) / extent
        found[path] = from_68_points(place[None])[0]
    return found


def _of_csv(root: Path, csv_file: Path) -> Iterator[_Marked]:
    images = image_folder(root, csv_file)
    for face in listed_faces(csv_file):
        if face.points and face.label not in LEFT_OUT:
            values = [number(text, face.where) for text in face.points.split(";")]
            if len(values) != 136:
                raise InputError(
                    f"{face.where}: {len(values)} numbers in facial_landmarks; "
                    "expected 136"
                )
            yield images / face.file, _as_points(values), face.box


def _of_npy(folder: Path) -> Iterator[_Marked]:
    paths = list(iter_images(folder / "images"))
    read = partial(_npy_points, folder / "annotations")
    points = list(map_in_threads(read, paths))
    broken = [str(p) for p, one in zip(paths, points, strict=True) if one is None]
    warn_left_out(folder, "images have no landmarks", broken, len(paths))
    for path, one in zip(paths, points, strict=True):
        if one is not None:
            yield path, one, None


def _npy_points(annotations: Path, image: Path) -> Tensor | None:
    try:
        values = np.load(annotations / f"{image.stem}_lnd.npy").astype(np.float32)
    except (OSError, ValueError, EOFError):
        return None
    whole = values.size == 136 and np.isfinite(values).all()
    return _as_points(values.ravel().tolist()) if whole else None


def _as_points(values: Iterable[float]) -> Tensor:
    return torch.tensor(list(values), dtype=torch.float32).view(68, 2)


def _size_of(path: Path) -> tuple[int, int] | None:
    try:
        with Image.open(path) as image:
            return image.width, image.height
    except OSError:
        return None
