"""What a gallery holds, as a whole."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from contrawarp_edge.filters import Scalar
from contrawarp_edge.gallery import Gallery
from contrawarp_edge.records import Hit

_MOST_VALUES = 200


def list_images(gallery: Gallery, limit: int) -> list[Hit]:
    """Ids, paths and metadata of at most ``limit`` images, by ascending id."""
    anywhere = np.ones(gallery.info.dim, np.float32)
    (hits,) = gallery.search(anywhere, k=limit)
    return sorted(hits, key=lambda hit: hit.id)


def metadata_fields(metadata: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The metadata by which images can be filtered, as JSON values.

    Args:
        metadata: That of each image. Values that are lists or objects are left out.

    Returns:
        Ordered by name: ``name``, and ``values`` with ``value`` and ``count``, the
        most frequent ones first.
    """
    counts: dict[str, Counter[Scalar]] = {}
    for values in metadata:
        for name, value in values.items():
            if isinstance(value, (str, int, float, bool)):
                counts.setdefault(name, Counter())[value] += 1
    return [
        {
            "name": name,
            "values": [
                {"value": value, "count": count}
                for value, count in values.most_common(_MOST_VALUES)
            ],
        }
        for name, values in sorted(counts.items())
    ]
