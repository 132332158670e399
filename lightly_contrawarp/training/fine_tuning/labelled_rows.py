"""The images of a run of fine-tuning: those to learn from, and those held out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from contrawarp_edge.core.errors import InputError
from contrawarp_edge.core.progress import Progress
from contrawarp_edge.core.text import printable
from lightly_contrawarp.data.held_out import hold_out
from lightly_contrawarp.data.labelled import LabelledImages


@dataclass(frozen=True)
class LabelledRows:
    """The readable images of a set, and which of them are held out."""

    images: LabelledImages
    rows: NDArray[np.int64]
    labels: NDArray[np.int64]
    classes: list[str]
    held_out: NDArray[np.bool_]


def read_labelled(images: LabelledImages, seed: int) -> tuple[LabelledRows, list[str]]:
    """Tries all images of a set, and holds a stratified tenth out.

    Args:
        images: The set.
        seed: Draws what is held out.

    Returns:
        The readable images, and a line for each other one.

    Raises:
        InputError: If fewer than two classes have two readable images.
    """
    rows, unreadable = [], []
    progress = Progress(len(images))
    for row in range(len(images)):
        try:
            images[row]
        except InputError as error:
            unreadable.append(str(error))
        else:
            rows.append(row)
        progress.update(row + 1)
    progress.clear()
    kept = np.array(rows, dtype=np.int64)
    seen, labels = np.unique(
        np.array(images.labels, dtype=np.int64)[kept], return_inverse=True
    )
    try:
        held_out = hold_out(labels, seed=seed)
    except InputError as error:
        raise InputError(f"{printable(images.root)}: {error}") from error
    classes = [images.classes[label] for label in seen]
    return LabelledRows(images, kept, labels, classes, held_out), unreadable
