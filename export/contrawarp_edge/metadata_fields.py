"""The metadata by which the images of a gallery can be filtered."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from contrawarp_edge.filters import Scalar

_MOST_VALUES = 200


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
