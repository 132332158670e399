from __future__ import annotations

from pathlib import Path

import pytest
from small_galleries import records

from contrawarp_edge import Gallery, ModelInfo


@pytest.fixture
def path(tmp_path: Path, info: ModelInfo) -> Path:
    """A small gallery."""
    path = tmp_path / "a.gallery"
    with Gallery.create(path, info) as gallery:
        gallery.add(records(60))
    return path
