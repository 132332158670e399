"""Parts for the sets that come without: folds in which nobody is twice."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeVar

import numpy as np
from sklearn.model_selection import StratifiedGroupKFold

from contrawarp_edge.core.errors import InputError
from lightly_contrawarp.data.labelled import LabelledItem

T = TypeVar("T")


@dataclass(frozen=True)
class Folds:
    """How a set without official splits is dealt into train, validation and test.

    What belongs together, such as the images of a person, is never in two splits. The
    folds have about the same share of each class. Test is one fold, validation the
    next one, and train the rest.

    Attributes:
        fold: Which fold is the test split, from 0.
        count: Number of folds, 3 or more.
        seed: Another one deals in another way.
    """

    fold: int = 0
    count: int = 5
    seed: int = 0

    def take(
        self,
        split: str,
        items: Sequence[T],
        labels: Sequence[str],
        groups: Sequence[str],
    ) -> list[T]:
        """Takes one split out of a set.

        Args:
            split: ``"train"``, ``"validation"`` or ``"test"``.
            items: The whole set.
            labels: The class of each item.
            groups: What each item belongs to.

        Returns:
            The items of the split, in their order.

        Raises:
            InputError: If there is no such fold, or there are fewer groups than folds.
        """
        if self.count < 3 or not 0 <= self.fold < self.count:
            raise InputError(
                f"fold {self.fold} of {self.count}: at least 3 folds are needed, and "
                "they are counted from 0"
            )
        if len(set(groups)) < self.count:
            raise InputError(
                f"{len(set(groups))} people or photos cannot be dealt into "
                f"{self.count} folds; ask for fewer"
            )
        dealt = _deal(tuple(labels), tuple(groups), self.count, self.seed)
        of_fold = {self.fold: "test", (self.fold + 1) % self.count: "validation"}
        return [
            item
            for item, fold in zip(items, dealt, strict=True)
            if of_fold.get(fold, "train") == split
        ]


DEFAULT_FOLDS = Folds()
"""Five folds, of which the first is the test split."""


def by_person(
    items: Sequence[LabelledItem], split: str, folds: Folds
) -> list[LabelledItem]:
    """Takes a split of a set that tells who is shown; nobody is in two splits."""
    return folds.take(
        split,
        items,
        [item.expression for item in items],
        [str(item.identity) for item in items],
    )


# Dealing the photos of ExpW takes seconds, and each of the splits asks for it.
@lru_cache(maxsize=1)
def _deal(
    labels: tuple[str, ...], groups: tuple[str, ...], count: int, seed: int
) -> list[int]:
    splitter = StratifiedGroupKFold(count, shuffle=True, random_state=seed)
    dealt = np.empty(len(labels), dtype=int)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about classes smaller than that
            for fold, (_, members) in enumerate(splitter.split(labels, labels, groups)):
                dealt[members] = fold
    except ValueError as error:  # every class is smaller than that
        raise InputError(f"too few faces for {count} folds; ask for fewer") from error
    return [int(fold) for fold in dealt]
