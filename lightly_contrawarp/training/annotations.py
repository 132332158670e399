"""What a run uses of ``faces.csv``: landmarks for the warps, tracks for the pairs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from jaxtyping import Float32
from torch import Tensor

from contrawarp_edge.core.errors import InputError
from contrawarp_edge.inputs.images import FACES_CSV
from lightly_contrawarp.data.faces_csv import facts_of, read_faces_csv
from lightly_contrawarp.data.frames import Neighbours
from lightly_contrawarp.training.settings import PretrainSettings
from lightly_contrawarp.transforms.geometry.landmarks import landmarks_of


class Guidance(NamedTuple):
    """What is known about the images of a run, in their order.

    Attributes:
        landmarks: Where their warps sit.
        tracks: Track of each, or ``None``.
        neighbours: Which frames make pairs, or ``None`` if views are of one frame.
        table: Where it is written.
        guided: How many images have landmarks of their own, if these are used.
        paired: How many have a neighbour, if these are used.
    """

    landmarks: Float32[Tensor, "n p 2"]
    tracks: list[str | None]
    neighbours: Neighbours | None
    table: Path
    guided: int | None
    paired: int | None


def find_guidance(
    folder: Path, paths: Sequence[Path], settings: PretrainSettings
) -> Guidance | None:
    """Reads ``folder/faces.csv``, if it is there and the settings have a use for it.

    Args:
        folder: The folder of the images.
        paths: The images.
        settings: Decide what is used.

    Returns:
        What is known about the images, or ``None``.

    Raises:
        InputError: If the file is malformed, or there are no neighbours where they are
            asked for.
    """
    table = folder / FACES_CSV
    guided = settings.centres == "landmarks" and settings.num_negatives > 0
    if not table.is_file():
        if settings.neighbours:
            raise InputError(
                f"{table}: no such file; --neighbours needs the tracks and times that "
                "contrawarp-edge align writes to it"
            )
        return None
    if not guided and not settings.neighbours:
        return None
    facts = facts_of(paths, read_faces_csv(table))
    landmarks = facts.landmarks if guided else landmarks_of(paths, {})
    near = paired = None
    if settings.neighbours:
        near = Neighbours(facts.tracks, facts.times, settings.neighbours)
        paired = int((near.counts > 0).sum())
        if not paired:
            raise InputError(
                f"{table}: has no two images of one track within "
                f"{settings.neighbours:g} s; give more seconds, or no --neighbours"
            )
    known = facts.known if guided else None
    return Guidance(landmarks, facts.tracks, near, table, known, paired)
