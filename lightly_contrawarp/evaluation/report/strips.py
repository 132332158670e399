"""Searches to look at: a test image of each expression and those nearest to it."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
from jaxtyping import Shaped
from PIL import Image

from lightly_contrawarp.evaluation.report.pictures import data_uri
from lightly_contrawarp.evaluation.splits import Split
from lightly_contrawarp.evaluation.statistics.arrays import Floats, Ints
from lightly_contrawarp.evaluation.statistics.neighbours import unit_rows

HITS = 8
"""Images shown for each search."""

_SEED = 0
_SIDE = 80


class Strips:
    """Searches in a test set with images that do not depend on the encoder.

    Args:
        test: The readable images of the test set.
        other_people: Whether to leave out images of the person of the query.
    """

    def __init__(self, test: Split, *, other_people: bool = False) -> None:
        self._test = test
        self._other_people = other_people
        self._pictures: dict[int, str] = {}

    @cached_property
    def queries(self) -> Shaped[Ints, " q"]:
        """A random image of each class, the same at every call."""
        rng = np.random.default_rng(_SEED)
        labels = self._test.labels
        return np.array(
            [rng.choice(np.flatnonzero(labels == c)) for c in np.unique(labels)]
        )

    def search(self, values: Shaped[Floats, "n d"]) -> list[dict[str, Any]]:
        """The images nearest to each query by cosine, without the query itself.

        Args:
            values: Features of the test images.

        Returns:
            For the template: the query's ``picture`` and ``label``, and its ``hits``
            with their ``score`` and whether they show the ``same_person``.
        """
        unit = unit_rows(values)
        people, labels = self._test.people, self._test.labels
        found = []
        for query in self.queries.tolist():
            scores = unit @ unit[query]
            scores[query] = -np.inf
            if self._other_people and people is not None:
                scores[people == people[query]] = -np.inf
            candidates = int(np.isfinite(scores).sum())
            best = np.argsort(-scores, kind="stable")[: min(HITS, candidates)]
            found.append(
                {
                    "picture": self._picture(query),
                    "label": self._name(labels[query]),
                    "hits": [
                        {
                            "picture": self._picture(hit),
                            "label": self._name(labels[hit]),
                            "score": f"{scores[hit]:.3f}",
                            "same_person": people is not None
                            and people[hit] == people[query],
                        }
                        for hit in best.tolist()
                    ],
                }
            )
        return found

    def _name(self, label: int) -> str:
        return self._test.classes[label]

    def _picture(self, row: int) -> str:
        if row not in self._pictures:
            position = int(self._test.rows[row])
            image: Image.Image = self._test.images[position][0].copy()
            image.thumbnail((_SIDE, _SIDE))
            self._pictures[row] = data_uri(image, "JPEG")
        return self._pictures[row]
