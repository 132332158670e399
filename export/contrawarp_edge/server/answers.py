"""Images of a gallery, and what a model makes of others, as they go over the wire."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any, TypeAlias

from pydantic import BaseModel

from contrawarp_edge.core.errors import InputError, NotFoundError
from contrawarp_edge.gallery.gallery import Gallery
from contrawarp_edge.gallery.records import Hit, Record, most_probable
from contrawarp_edge.search.vectors import Probabilities, Vector
from contrawarp_edge.server import schemas

Example: TypeAlias = "int | Vector"
"""The id of an image, or an embedding ``(D,)`` of any length."""


def known(gallery: Gallery, id: int) -> Record:
    """The image with an id.

    Raises:
        NotFoundError: If there is none.
    """
    record = gallery.get(id)
    if record is None:
        raise NotFoundError(f"no image has id {id}")
    return record


def vector_of(gallery: Gallery, example: Example) -> Vector:
    """The embedding of an example, ``(D,)``.

    Raises:
        InputError: If it has another length.
        NotFoundError: If there is no such image.
    """
    if isinstance(example, int):
        return known(gallery, example).embedding
    if example.shape != (gallery.info.dim,):
        raise InputError(
            f"an embedding has {len(example)} numbers; this model's have "
            f"{gallery.info.dim}"
        )
    return example


def probabilities(
    scores: Probabilities, classes: Sequence[str]
) -> list[dict[str, float]]:
    """For each row of ``(N, C)`` the probabilities by name."""
    return [dict(zip(classes, row, strict=True)) for row in scores.tolist()]


def recognised(
    scores: Probabilities, classes: Sequence[str]
) -> list[schemas.Recognised]:
    """What the model recognises in each of some images, ``(N, C)``."""
    return [
        schemas.Recognised(expression=most_probable(face), scores=face)
        for face in probabilities(scores, classes)
    ]


def image_record(record: Record) -> schemas.ImageRecord:
    """What the gallery knows of an image."""
    values = {**vars(record), "expression": record.expression}
    return schemas.ImageRecord(**only(schemas.ImageRecord, values))


def search_hit(hit: Hit) -> schemas.SearchHit:
    """One hit of a search."""
    return schemas.SearchHit(**asdict(hit), expression=hit.expression)


def only(schema: type[BaseModel], values: Mapping[str, Any]) -> dict[str, Any]:
    """Those of some values that a schema has fields for."""
    return {name: values[name] for name in schema.model_fields}
