"""The query of a search, put together from images and ids."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from contrawarp_edge.align.rules import aligner_for
from contrawarp_edge.cli.options import remembered_model
from contrawarp_edge.core.errors import InputError, NotFoundError
from contrawarp_edge.gallery.conditions import IDENTITY, Condition
from contrawarp_edge.gallery.gallery import Gallery
from contrawarp_edge.gallery.records import Record
from contrawarp_edge.inputs.loading import Pixels, to_pixels
from contrawarp_edge.inputs.originals import read_original
from contrawarp_edge.model.embedder import Embedder
from contrawarp_edge.search.query import combined
from contrawarp_edge.search.vectors import Vectors


@dataclass(frozen=True)
class Examples:
    """What hits should be like, or should not.

    Attributes:
        images: Image files.
        ids: Images of the gallery.
    """

    images: Sequence[Path]
    ids: Sequence[int]

    def paths(self, gallery: Gallery) -> list[Path | str]:
        """Where the examples are, as the gallery knows them."""
        return [*self.images, *(stored(gallery, id).path for id in self.ids)]


def stored(gallery: Gallery, id: int) -> Record:
    """The image with an id.

    Raises:
        InputError: If there is none.
    """
    record = gallery.get(id)
    if record is None:
        raise NotFoundError(f"{gallery.path}: has no image with id {id}")
    return record


def query_vector(
    gallery: Gallery,
    like: Examples,
    unlike: Examples,
    model: Path | None,
    align: bool,
) -> Vectors:
    """The vector to search with; the model is loaded only if images are named.

    Args:
        gallery: What is searched.
        like: What hits should be like.
        unlike: What they should not be like.
        model: The gallery's model, if it is not where it was.
        align: Whether to cut the largest face out of each image first.

    Raises:
        InputError: If an image or id cannot be used, or the model is another.
    """
    if not like.images and not like.ids:
        raise InputError("name an image to search for, or one of the gallery with --id")
    embedder = None
    if like.images or unlike.images:
        embedder = Embedder(model or remembered_model(gallery))
        gallery.check_model(embedder.info)
        prepare = aligner_for(embedder.info) if align else None

    def pixels(path: Path) -> Pixels:
        original = to_pixels(read_original(path))
        if prepare is None:
            return original
        try:
            return prepare(original)
        except InputError as error:
            raise InputError(
                f"{path}: {error}; --no-align takes it as it is"
            ) from error

    def vectors(examples: Examples) -> Vectors:
        parts = [np.empty((0, gallery.info.dim), np.float32)]
        parts += [stored(gallery, id).embedding[None] for id in examples.ids]
        if embedder is not None:
            parts.append(embedder.embed(map(pixels, examples.images)))
        return np.concatenate(parts)

    return combined(vectors(like), vectors(unlike))


def whoever_else(gallery: Gallery, like: Examples) -> list[Condition]:
    """Conditions that leave out whoever is in the examples.

    Raises:
        InputError: If the gallery does not know who that is.
    """
    found = []
    keys: list[str | int] = [*map(str, like.images), *like.ids]
    for key in keys:
        record = gallery.get(key)
        identity = ((record and record.metadata) or {}).get(IDENTITY)
        if not isinstance(identity, (str, int, float)):
            name = f"image {key}" if isinstance(key, int) else key
            raise InputError(
                f"{name}: the gallery does not know who it is; instead of "
                f"--other-people, name the person with --where {IDENTITY}!=NAME"
            )
        found.append(Condition(IDENTITY, "!=", identity, str(identity)))
    return found
