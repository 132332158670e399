"""Google's facial expression comparisons: which of three faces is the odd one out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from torch.utils.data import Dataset

from contrawarp_edge.core.errors import InputError, NotFoundError
from contrawarp_edge.inputs.images import read_rgb
from lightly_contrawarp.data.face_box import crop_face
from lightly_contrawarp.data.folders import Transform
from lightly_contrawarp.data.sets.checks import warn_left_out
from lightly_contrawarp.data.tables import csv_rows, label_number, number

_FACES = 3
_FIELDS = 5  # of a face: address, left, right, top, bottom


@dataclass(frozen=True)
class FecFace:
    """A face in a photo.

    Attributes:
        path: The photo.
        box: Left, top, right and bottom of the face, as fractions of the photo.
    """

    path: Path
    box: tuple[float, float, float, float]


@dataclass(frozen=True)
class FecTriplets:
    """Comparisons of three faces.

    Attributes:
        faces: Each face once.
        triplets: int64 of shape ``(T, 3)``, positions in ``faces``.
        odd: int64 of shape ``(T,)``, 0 to 2: which face of the triplet most annotators
            took for the odd one out; -1 if there is a tie.
        kinds: ``ONE_CLASS_TRIPLET``, ``TWO_CLASS_TRIPLET`` or ``THREE_CLASS_TRIPLET``.
        annotations: The answer of each annotator, 0 to 2.
        missing: Number of rows that were left out because a photo is not there.
    """

    faces: list[FecFace]
    triplets: NDArray[np.int64]
    odd: NDArray[np.int64]
    kinds: list[str]
    annotations: list[tuple[int, ...]]
    missing: int


def read_fec_triplets(csv_file: Path, images: Path) -> FecTriplets:
    """Reads ``faceexp-comparison-data-train-public.csv``, or ``test``.

    Args:
        csv_file: The file. A row is, for each of three faces, address of the photo,
            left, right, top and bottom of the face; then the kind of triplet and, for
            each annotator, a name and an answer from 1 to 3.
        images: Folder of the photos, named like the last part of their addresses. Many
            are gone from the web; rows that need one are left out and counted.

    Raises:
        InputError: If a file or folder is missing, a row is not as expected, or no row
            has all its photos.
    """
    if not csv_file.is_file():
        raise NotFoundError(f"{csv_file}: no such file")
    if not images.is_dir():
        raise NotFoundError(f"{images}: no such folder; it should hold the photos")
    present = {path.name for path in images.iterdir()}
    positions: dict[FecFace, int] = {}
    triplets, kinds, annotations, missing = [], [], [], []
    for where, fields in csv_rows(csv_file):
        faces, kind, answers = _parse(where, fields, images)
        if any(face.path.name not in present for face in faces):
            missing.append(where)
            continue
        triplets.append([positions.setdefault(face, len(positions)) for face in faces])
        kinds.append(kind)
        annotations.append(answers)
    if not triplets:
        raise InputError(
            f"{csv_file}: no row with all its photos in {images}; expected them named "
            "like the last part of their addresses"
        )
    rows = len(triplets) + len(missing)
    warn_left_out(csv_file, "rows need a photo that is missing", missing, rows)
    return FecTriplets(
        faces=list(positions),
        triplets=np.asarray(triplets, dtype=np.int64),
        odd=np.asarray([majority(answers) for answers in annotations], dtype=np.int64),
        kinds=kinds,
        annotations=annotations,
        missing=len(missing),
    )


def majority(answers: Sequence[int]) -> int:
    """The most frequent answer, or -1 if another one is as frequent.

    >>> majority([2, 0, 2]), majority([0, 0, 1, 1, 2])
    (2, -1)
    """
    (first, count), *others = Counter(answers).most_common(2)
    return -1 if others and others[0][1] == count else first


def read_fec_face(face: FecFace) -> Image.Image:
    """Reads a photo and cuts out a face; see `crop_face`.

    Raises:
        InputError: If the photo cannot be decoded or the box is empty.
    """
    image = read_rgb(face.path)
    left, top, right, bottom = face.box
    box = (
        left * image.width,
        top * image.height,
        right * image.width,
        bottom * image.height,
    )
    try:
        return crop_face(image, box)
    except InputError as error:
        raise InputError(f"{face.path}: {error}") from error


class FecFaces(Dataset[tuple[Any, int]]):
    """The faces of triplets, cut out; an item is ``(image, position)``.

    Args:
        faces: As in `FecTriplets`.
        transform: Applied to each RGB ``PIL.Image``.
    """

    def __init__(
        self, faces: Sequence[FecFace], transform: Transform | None = None
    ) -> None:
        self.faces = list(faces)
        self.transform = transform

    def __len__(self) -> int:
        return len(self.faces)

    def __getitem__(self, index: int) -> tuple[Any, int]:
        image = read_fec_face(self.faces[index])
        return image if self.transform is None else self.transform(image), index


def _parse(
    where: str, fields: list[str], images: Path
) -> tuple[list[FecFace], str, tuple[int, ...]]:
    kind_at = _FACES * _FIELDS
    if len(fields) < kind_at + 3 or (len(fields) - kind_at) % 2 == 0:
        raise InputError(
            f"{where}: {len(fields)} fields; expected three times address, left, "
            "right, top and bottom, then a kind, then pairs of annotator and answer"
        )
    faces = []
    for start in range(0, kind_at, _FIELDS):
        name = Path(unquote(urlsplit(fields[start]).path)).name
        left, right, top, bottom = (
            number(text, where) for text in fields[start + 1 : start + _FIELDS]
        )
        faces.append(FecFace(images / name, (left, top, right, bottom)))
    answers = tuple(label_number(text, where) - 1 for text in fields[kind_at + 2 :: 2])
    if not {*answers} <= {*range(_FACES)}:
        raise InputError(f"{where}: an answer is not 1, 2 or 3")
    return faces, fields[kind_at], answers
