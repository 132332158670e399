"""What a gallery holds, read anew."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from contrawarp_edge import Gallery, Record

MakeImages = Callable[..., list[Path]]
Reference = Callable[..., np.ndarray]


def rows(path: Path) -> list[Record]:
    with Gallery.open(path, readonly=True) as gallery:
        found = [gallery.get(id) for id, _, _ in gallery.iter_paths()]
    return [row for row in found if row is not None]


def assert_aligned(gallery: Path, reference: Reference) -> None:
    """Each stored embedding is that of the file with its path."""
    for row in rows(gallery):
        pixels = np.asarray(Image.open(row.path).convert("RGB"))
        np.testing.assert_allclose(row.embedding, reference(pixels), atol=1e-5)
