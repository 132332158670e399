"""A photograph in the public domain, and a detector that needs none."""

from __future__ import annotations

import pytest
from PIL import Image
from pretended_faces import faces_by_colour

from contrawarp_edge.align import rules


@pytest.fixture(scope="session")
def astronaut() -> Image.Image:
    """512 x 512 pixels, one face; NASA's, it comes with scikit-image."""
    data = pytest.importorskip("skimage.data")
    pytest.importorskip("cv2")
    return Image.fromarray(data.astronaut())


@pytest.fixture
def pretend(monkeypatch: pytest.MonkeyPatch) -> None:
    """Replaces the detector by ``faces_by_colour``."""
    monkeypatch.setattr(rules, "find_faces", faces_by_colour)
