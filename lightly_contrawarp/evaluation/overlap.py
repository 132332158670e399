"""What a test and a training set share, which would flatter the nearest neighbours."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.sparse import csr_array

from lightly_contrawarp.evaluation.splits import Split


@dataclass(frozen=True)
class OverlapFacts:
    """The facts about an overlap that go into results.

    Attributes:
        near_duplicates: Pairs of a test and a training image that are nearly the same.
        same_person: Pairs that show one person; None if people are not known on both
            sides.
        without_neighbours: Test images that are in such a pair with every training
            image, so that nothing has a vote on them.
    """

    near_duplicates: int
    same_person: int | None
    without_neighbours: int

    @property
    def words(self) -> str:
        """What nearest neighbours leave out, in one or two sentences."""
        pairs = f"{self.near_duplicates:,} pairs of near-duplicates"
        if self.same_person is not None:
            pairs += f" and {self.same_person:,} pairs that show one person"
        text = f"Nearest neighbours leave out {pairs} between training and test images."
        if self.without_neighbours:
            text += (
                f" {self.without_neighbours:,} test images have no neighbour left, and "
                "count as wrong."
            )
        return text


@dataclass(frozen=True)
class Overlap:
    """Pairs of a test and a training image that are no merit to find.

    Attributes:
        near_duplicates: Sparse booleans ``[t, n]`` that mark images that are nearly the
            same.
        same_person: The same for images that show one person; None if people are not
            known on both sides.
    """

    near_duplicates: csr_array
    same_person: csr_array | None

    @cached_property
    def left_out(self) -> csr_array:
        """Both kinds of pairs."""
        if self.same_person is None:
            return self.near_duplicates
        return csr_array(self.near_duplicates + self.same_person)

    @property
    def facts(self) -> OverlapFacts:
        """How many there are."""
        training_images = self.left_out.shape[1]
        return OverlapFacts(
            int(self.near_duplicates.nnz),
            None if self.same_person is None else int(self.same_person.nnz),
            int((self.left_out.sum(axis=1) == training_images).sum()),
        )


def same_person(test: Split, train: Split) -> csr_array | None:
    """Marks pairs of items that show a person of one name.

    Returns:
        Sparse booleans ``[t, n]``, or None if people are not known on both sides.
    """
    names: list[str] = []
    for split in (test, train):
        if split.images.identities is None:
            return None
        names += [split.images.identities[row] for row in split.rows.tolist()]
    people, person = np.unique(names, return_inverse=True)
    shape = len(person), len(people)
    shows = csr_array(
        (np.ones(len(person), bool), (np.arange(len(person)), person)), shape=shape
    )
    return csr_array(shows[: len(test.rows)] @ shows[len(test.rows) :].T)
