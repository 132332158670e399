"""A training and a test set under one numbering of classes and people."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from contrawarp_edge.core.errors import InputError
from lightly_contrawarp.data.labelled import LabelledImages
from lightly_contrawarp.data.synthetic import ACTIONS, read_actions
from lightly_contrawarp.evaluation.statistics.scores import Labels


@dataclass(frozen=True)
class Part:
    """One of the two sets, or some of its items; the arrays have N entries for them.

    Attributes:
        images: The set.
        classes: Names of the classes of the training set.
        rows: Positions of the items in ``images``, int64 ``(N,)``.
        labels: Positions in ``classes``, int64 ``(N,)``.
        people: Numbers of who is shown, int64 ``(N,)``, or None if it is not known.
        actions: float32 ``(N, len(ACTIONS))`` for drawn faces, else None.
    """

    images: LabelledImages
    classes: list[str]
    rows: Labels
    labels: Labels
    people: Labels | None
    actions: NDArray[np.float32] | None

    def take(self, rows: Labels) -> Part:
        """Some of the items, by their place among these."""
        return Part(
            self.images,
            self.classes,
            self.rows[rows],
            self.labels[rows],
            None if self.people is None else self.people[rows],
            None if self.actions is None else self.actions[rows],
        )

    def describe(self) -> dict[str, Any]:
        """The facts about these items, as plain values."""
        counts = np.bincount(self.labels, minlength=len(self.classes))
        return {
            "set": self.images.name,
            "root": str(self.images.root),
            "images": len(self.labels),
            "images_by_class": dict(zip(self.classes, counts.tolist(), strict=True)),
            "people": None if self.people is None else len(np.unique(self.people)),
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
    return _part(train, train.classes), _part(test, train.classes)


def _part(images: LabelledImages, classes: list[str]) -> Part:
    numbers = np.array([classes.index(name) for name in images.classes])
    return Part(
        images,
        classes,
        np.arange(len(images)),
        numbers[images.labels],
        _people(images),
        _actions(images),
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
