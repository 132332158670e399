"""What goes into a gallery and what a search brings out."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from contrawarp_edge.core.errors import InputError
from contrawarp_edge.search.vectors import Vectors


@dataclass(frozen=True)
class Record:
    """One image of a gallery.

    Attributes:
        path: The image's path, by which a gallery tells images apart. One that comes
            out of a gallery opens from the current folder.
        sha256: Of the image file, in hex digits.
        embedding: float32 ``(D,)``; a gallery stores it at unit length.
        metadata: JSON values by name. On adding, None keeps what a known path has.
        id: Given by the gallery, never used twice.
        added: Given by the gallery: when the row was last written, ISO 8601 in UTC.
        scores: The probability of each class of the model by name; empty if it has no
            classes, or did not see the image. On adding, they replace those of a known
            path, also by none.
    """

    path: str
    sha256: str
    embedding: Vectors
    metadata: Mapping[str, Any] | None = None
    id: int | None = None
    added: str | None = None
    scores: Mapping[str, float] = field(default_factory=dict)

    @property
    def expression(self) -> str | None:
        """The most probable class; None without classes."""
        return most_probable(self.scores)

    def metadata_json(self) -> str | None:
        """The metadata as JSON text.

        Raises:
            InputError: If there is something in it that JSON cannot hold.
        """
        if self.metadata is None:
            return None
        try:
            return json.dumps(dict(self.metadata), allow_nan=False)
        except (TypeError, ValueError) as error:
            raise InputError(f"{self.path}: metadata is no JSON: {error}") from error


@dataclass(frozen=True)
class Hit:
    """One search result; ``score`` is the cosine similarity, -1 to 1.

    ``path`` opens from the folder that was the current one during the search.
    ``scores`` has the probability of each class of the model by name.
    """

    id: int
    score: float
    path: str
    metadata: Mapping[str, Any]
    scores: Mapping[str, float] = field(default_factory=dict)

    @property
    def expression(self) -> str | None:
        """The most probable class; None without classes."""
        return most_probable(self.scores)


def most_probable(scores: Mapping[str, float]) -> str | None:
    """The class with the highest probability, of equal ones the first."""
    return max(scores, key=scores.__getitem__, default=None)


class Hits(list[list[Hit]]):
    """For each query its hits, best first.

    Attributes:
        recall: Share of the ten nearest images that the approximate index found, as
            measured when it was built; None if the search was exact.
    """

    def __init__(self, hits: Iterable[list[Hit]], recall: float | None) -> None:
        super().__init__(hits)
        self.recall = recall
