"""A small encoder as an exported file, and enough images to quantise it."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from contrawarp_edge import Embedder
from lightly_contrawarp.data.synthetic import draw_parameters, render_faces
from lightly_contrawarp.export.onnx_model import export_onnx
from lightly_contrawarp.models.backbones import build_backbone
from lightly_contrawarp.models.checkpoint import BackboneInfo

INFO = BackboneInfo(name="small", dim=128, input_size=32, commercial_use="no")


@pytest.fixture(scope="session")
def photos(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Files of 220 drawn faces of several sizes."""
    folder = tmp_path_factory.mktemp("photos")
    faces = render_faces(draw_parameters(220, num_identities=110, seed=3), size=32)
    paths = [folder / f"{index:03}.png" for index in range(len(faces))]
    for index, (path, face) in enumerate(zip(paths, faces, strict=True)):
        image = Image.fromarray(face.permute(1, 2, 0).numpy())
        image.resize((32 + index % 3, 32)).save(path)
    return paths


@pytest.fixture(scope="session")
def fp32(photos: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Embedder:
    torch.manual_seed(0)
    backbone, _ = build_backbone(INFO.name)
    batch = torch.stack(
        [
            torch.from_numpy(np.array(Image.open(path).resize((32, 32))))
            for path in photos[:64]
        ]
    )
    # Statistics of real activations: an encoder that has seen nothing has none.
    with torch.no_grad():
        for _ in range(20):
            backbone.train()(batch.permute(0, 3, 1, 2) / 64.0 - 2)
    path = tmp_path_factory.mktemp("fp32") / "model.onnx"
    images = [Image.open(path).convert("RGB") for path in photos[:4]]
    export_onnx(backbone.eval(), INFO, path, images)
    return Embedder(path)


@pytest.fixture
def progress() -> tuple[list[int], Callable[[int], None]]:
    """What was reported, and what reports it."""
    seen: list[int] = []
    return seen, seen.append
