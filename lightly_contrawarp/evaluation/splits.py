"""A training and a test set under one numbering of classes and people."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Shaped

from contrawarp_edge.core.errors import InputError
from lightly_contrawarp.data.labelled import LabelledImages
from lightly_contrawarp.evaluation.statistics.arrays import Floats, Ints


@dataclass(frozen=True)
class SplitFacts:
    """The facts about a split that go into results.

    Attributes:
        set: The kind of set.
        root: Where it is.
        images: Number of images.
        images_by_class: The same by name of the class.
        people: Number of people, or None if it is not known.
    """

    set: str
    root: str
    images: int
    images_by_class: dict[str, int]
    people: int | None


@dataclass(frozen=True)
class Split:
    """A set, or some of its items; the arrays have an entry for each.

    Attributes:
        images: The set.
        classes: Names of the classes: of the training set, or of a set of its own.
        rows: Positions of the items in ``images``.
        labels: Positions in ``classes``.
        people: Numbers of who is shown, or None if it is not known.
        targets: Numbers of each item by name, float32; those that both sets have.
    """

    images: LabelledImages
    classes: list[str]
    rows: Shaped[Ints, " n"]
    labels: Shaped[Ints, " n"]
    people: Shaped[Ints, " n"] | None
    targets: Mapping[str, Shaped[Floats, " n"]]

    def take(self, rows: Shaped[Ints, " taken"]) -> Split:
        """Some of the items, by their place among these."""
        return Split(
            self.images,
            self.classes,
            self.rows[rows],
            self.labels[rows],
            None if self.people is None else self.people[rows],
            {name: values[rows] for name, values in self.targets.items()},
        )

    @property
    def facts(self) -> SplitFacts:
        """What there is to tell about these items."""
        counts = np.bincount(self.labels, minlength=len(self.classes))
        return SplitFacts(
            set=self.images.name,
            root=str(self.images.root),
            images=len(self.labels),
            images_by_class=dict(zip(self.classes, counts.tolist(), strict=True)),
            people=None if self.people is None else len(np.unique(self.people)),
        )


def common_space(train: LabelledImages, test: LabelledImages) -> tuple[Split, Split]:
    """Numbers the classes of both sets as those of the training set.

    Args:
        train: Images to learn from, without a transform.
        test: Images to be scored on, without a transform; it may lack some classes.

    Raises:
        InputError: If ``test`` has a class that ``train`` lacks, or if one of them is
            empty.
    """
    for images in (train, test):
        _check_filled(images)
    unknown = [name for name in test.classes if name not in train.classes]
    if unknown:
        raise InputError(
            f"{test.root}: {', '.join(unknown)} is not among the classes of "
            f"{train.root}: {', '.join(train.classes)}"
        )
    targets = [name for name in train.targets if name in test.targets]
    return (
        _split(train, train.classes, targets),
        _split(test, train.classes, targets),
    )


def own_space(images: LabelledImages) -> Split:
    """A set with its own classes, to be searched only.

    Args:
        images: The set, without a transform.

    Raises:
        InputError: If it is empty.
    """
    _check_filled(images)
    return _split(images, images.classes, [])


def _check_filled(images: LabelledImages) -> None:
    if not len(images):
        raise InputError(f"{images.root}: holds no labelled image")


def _split(images: LabelledImages, classes: list[str], targets: list[str]) -> Split:
    numbers = np.array([classes.index(name) for name in images.classes])
    return Split(
        images,
        classes,
        np.arange(len(images)),
        numbers[images.labels],
        _people(images),
        {name: images.targets[name] for name in targets},
    )


def _people(images: LabelledImages) -> Shaped[Ints, " n"] | None:
    if images.identities is None:
        return None
    return np.unique(images.identities, return_inverse=True)[1]
