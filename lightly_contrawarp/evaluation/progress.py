"""Telling on standard error how far an evaluation has come."""

from __future__ import annotations

import sys

from contrawarp_edge.core.progress import Progress


class EvaluationProgress:
    """Writes the images done and the measures taken, for `compare` to be given."""

    def start(self, encoder: str, images: int) -> None:
        """The turn of an encoder, which will see that many images."""
        self._encoder = encoder
        self._images = Progress(images)

    def images(self, done: int) -> None:
        """So many of its images are done."""
        self._images.update(done)

    def stage(self, name: str) -> None:
        """A measure is taken now."""
        self._images.clear()
        print(f"{self._encoder}: {name}", file=sys.stderr)
