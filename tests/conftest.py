"""Faces for the tests: drawn, so nobody's."""

from pathlib import Path

import pytest
import torch
from PIL import Image
from torchvision.transforms.v2.functional import to_pil_image

from lightly_contrawarp.data.drawn_faces import draw_parameters, render_faces


@pytest.fixture(scope="session")
def faces() -> torch.Tensor:
    """Drawn faces, uint8 ``[24, 3, 64, 64]``."""
    return render_faces(draw_parameters(24, num_identities=6, seed=7), size=64)


@pytest.fixture(scope="session")
def pil_faces(faces: torch.Tensor) -> list[Image.Image]:
    return [to_pil_image(face) for face in faces]


@pytest.fixture
def face_folder(pil_faces: list[Image.Image], tmp_path: Path) -> Path:
    """A folder of face images in two sub-folders."""
    folder = tmp_path / "faces"
    for index, face in enumerate(pil_faces):
        path = folder / "ab"[index % 2] / f"{index:02}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        face.save(path)
    return folder
