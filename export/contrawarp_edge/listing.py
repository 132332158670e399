"""What a gallery holds, as a whole."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from contrawarp_edge.gallery import Gallery
from contrawarp_edge.gallery_sql import Scalar
from contrawarp_edge.records import Hit


def list_images(gallery: Gallery, limit: int) -> list[Hit]:
    """Ids, paths and metadata of at most ``limit`` images, by ascending id."""
    if not len(gallery):
        return []
    anywhere = np.ones(gallery.info.dim, np.float32)
    (hits,) = gallery.search(anywhere, k=limit)
    return sorted(hits, key=lambda hit: hit.id)


def metadata_fields(
    metadata: Iterable[Mapping[str, Any]],
) -> dict[str, Counter[Scalar]]:
    """The metadata by which images can be filtered: how often each value occurs.

    Values that are lists or objects are left out.
    """
    fields: dict[str, Counter[Scalar]] = {}
    for values in metadata:
        for name, value in values.items():
            if isinstance(value, (str, int, float, bool)):
                fields.setdefault(name, Counter())[value] += 1
    return fields
