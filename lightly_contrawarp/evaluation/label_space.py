"""A training and a test set under one numbering of classes and people."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from contrawarp_edge.errors import InputError
from lightly_contrawarp.data.drawn_faces import ACTIONS, read_actions
from lightly_contrawarp.data.labelled import LabelledImages
from lightly_contrawarp.evaluation.scores import Labels


@dataclass(frozen=True)
class Part:
    """One of the two sets; the arrays have an entry for each of its N items.

    Attributes:
        images: The set.
        labels: Positions in the classes of the training set, int64 ``(N,)``.
        people: Numbers of who is shown, int64 ``(N,)``, or None if it is not known.
        actions: float32 ``(N, len(ACTIONS))`` for drawn faces, else None.
    """

    images: LabelledImages
    labels: Labels
    people: Labels | None
    actions: NDArray[np.float32] | None

    def describe(self, classes: list[str], unreadable: list[str]) -> dict[str, Any]:
        """The facts about it, as plain values.

        Args:
            classes: Names of the classes of the training set.
            unreadable: A line for each image that was left out.
        """
        counts = np.bincount(self.labels, minlength=len(classes))
        return {
            "set": self.images.name,
            "root": str(self.images.root),
            "images": len(self.labels) - len(unreadable),
            "images_by_class": dict(zip(classes, counts.tolist(), strict=True)),
            "people": None if self.people is None else len(np.unique(self.people)),
            "unreadable": unreadable,
        }


def common_space(train: LabelledImages, test: LabelledImages) -> tuple[Part, Part]:
    """Numbers the classes of both sets as those of the training set.

    Args:
        train: Images to learn from, without a transform.
        test: Images to be scored on, without a transform; it may lack some classes.

    Raises:
        InputError: If ``test`` has a class that ``train`` lacks, or if one of them is
            empty.
    """
    for images in (train, test):
        if not len(images):
            raise InputError(f"{images.root}: holds no labelled image")
    unknown = [name for name in test.classes if name not in train.classes]
    if unknown:
        raise InputError(
            f"{test.root}: {', '.join(unknown)} is not among the classes of "
            f"{train.root}: {', '.join(train.classes)}"
        )
    numbers = np.array([train.classes.index(name) for name in test.classes])
    return (
        Part(train, np.asarray(train.labels), _people(train), _actions(train)),
        Part(test, numbers[test.labels], _people(test), _actions(test)),
    )


def _people(images: LabelledImages) -> Labels | None:
    if images.identities is None:
        return None
    return np.unique(images.identities, return_inverse=True)[1]


def _actions(images: LabelledImages) -> NDArray[np.float32] | None:
    known = read_actions(images.root)
    if not all(name in known for name in images.names):
        return None
    values = [known[name] for name in images.names]
    return np.array(values, dtype=np.float32).reshape(-1, len(ACTIONS))
