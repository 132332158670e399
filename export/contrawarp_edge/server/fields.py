"""By what the images of a gallery can be filtered."""

from __future__ import annotations

import time
from itertools import islice

from contrawarp_edge.gallery.conditions import EXPRESSION, metadata_fields
from contrawarp_edge.gallery.gallery import Gallery
from contrawarp_edge.server import schemas

_SECONDS = 30.0
_IMAGES = 50_000


class Fields:
    """The names and values in the metadata of a gallery, read anew from time to time.

    Threads may share it.
    """

    def __init__(self) -> None:
        self._forgotten = 0  # how often
        self._read: tuple[int, float, list[schemas.MetadataField]] = (-1, 0.0, [])

    def of(self, gallery: Gallery) -> list[schemas.MetadataField]:
        """What there is in the first of a gallery's images, at most 30 s old."""
        forgotten = self._forgotten
        then, moment, fields = self._read
        if then != forgotten or time.monotonic() - moment > _SECONDS:
            records = islice(gallery.iter_records(), _IMAGES)
            fields = [
                schemas.MetadataField(**facts)
                for facts in metadata_fields(
                    {EXPRESSION: r.expression, **(r.metadata or {})} for r in records
                )
            ]
            self._read = (forgotten, time.monotonic(), fields)
        return fields

    def forget(self) -> None:
        """Lets go of what was read, or is being read: some of it was erased."""
        self._forgotten += 1
        self._read = (-1, 0.0, [])
