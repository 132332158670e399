"""What goes into a gallery and what a search brings out."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from contrawarp_edge.core.errors import InputError


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
    """

    path: str
    sha256: str
    embedding: npt.NDArray[np.float32]
    metadata: Mapping[str, Any] | None = None
    id: int | None = None
    added: str | None = None

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
    """

    id: int
    score: float
    path: str
    metadata: Mapping[str, Any]
