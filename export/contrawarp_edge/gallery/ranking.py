"""The order of images by what they show, and the best of each of some groups."""

from __future__ import annotations

import heapq
from collections.abc import Iterable
from typing import TypeVar

from contrawarp_edge.core.errors import InputError, NotApplicableError
from contrawarp_edge.gallery.records import Hit, Record
from contrawarp_edge.model.info import ModelInfo

_Image = TypeVar("_Image", Record, Hit)


def check_class(name: str, info: ModelInfo) -> None:
    """Checks that a model recognises a class.

    Raises:
        InputError: If it does not.
    """
    if not info.classes:
        raise NotApplicableError(
            f"{name}: the model has no classes; export it with --labels"
        )
    if name not in info.classes:
        raise InputError(
            f"{name}: no class of the model, which has {', '.join(info.classes)}"
        )


def ranked(
    images: Iterable[_Image],
    info: ModelInfo,
    *,
    sort: str | None = None,
    best_of: str | None = None,
    limit: int | None = None,
) -> list[_Image]:
    """Orders images by the probability of a class, and takes the first of groups.

    Args:
        images: Images of a gallery, or hits of one search.
        info: The model of the gallery.
        sort: The class; the most probable come first, and of equal ones those that
            came first before. If None, the order stays.
        best_of: Name in the metadata: of all images with the same value only the first
            is kept, and none without a value.
        limit: Most images wanted.

    Raises:
        InputError: If the model does not recognise the class.
    """
    if sort is not None:
        check_class(sort, info)

    def rank(image: _Image) -> float:
        return image.scores.get(sort, -1.0) if sort is not None else 0.0

    if best_of is not None:
        best: dict[str | int | float, _Image] = {}
        for image in images:
            value = (image.metadata or {}).get(best_of)
            if not isinstance(value, (str, int, float)):
                continue
            if value not in best or rank(image) > rank(best[value]):
                best.pop(value, None)  # so that groups are in the order of their best
                best[value] = image
        images = best.values()
    if limit is not None:  # holds no more than that of a large gallery
        return heapq.nlargest(limit, images, key=rank)
    return sorted(images, key=rank, reverse=True)
