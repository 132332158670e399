"""Faces for the tests: drawn, so nobody's."""

from pathlib import Path

import pytest
import torch
from click.testing import Result
from PIL import Image
from torchvision.transforms.v2.functional import to_pil_image

from helpers_export import run, save_checkpoint
from lightly_contrawarp import ContraWarp
from lightly_contrawarp.data.synthetic import draw_parameters, render_faces
from lightly_contrawarp.export import onnx_model


@pytest.fixture(autouse=True)
def _seeded() -> None:
    """What tests draw depends neither on their order nor on the day."""
    torch.manual_seed(0)


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


@pytest.fixture(scope="session")
def folder(
    pil_faces: list[Image.Image], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A flat folder of 24 faces, for tests that do not change it."""
    root = tmp_path_factory.mktemp("faces")
    for index, face in enumerate(pil_faces):
        face.save(root / f"{index:02}.png")
    return root


@pytest.fixture(scope="session")
def small_checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An untrained encoder, for tests that do not change the file."""
    torch.manual_seed(0)
    model = ContraWarp("small", input_size=48, commercial_use="no")
    return save_checkpoint(model, tmp_path_factory.mktemp("small") / "last.ckpt")


@pytest.fixture(scope="session")
def small_export(small_checkpoint: Path) -> tuple[Path, Result]:
    """It as an exported file, for tests that do not change it, and what was said."""
    path = small_checkpoint.with_name("model.onnx")
    return path, run(small_checkpoint, "--onnx", path)


@pytest.fixture(scope="session")
def _converted() -> dict[object, bytes]:
    return {}


@pytest.fixture
def convert_once(
    _converted: dict[object, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Has PyTorch convert the same encoder once: it takes seconds each time."""
    convert = onnx_model._to_onnx

    def once(model: onnx_model.EmbeddingModel) -> bytes:
        weights = b"".join(x.numpy().tobytes() for x in model.state_dict().values())
        key = (repr(model), model.input_size, weights)
        if key not in _converted:
            _converted[key] = convert(model)
        return _converted[key]

    monkeypatch.setattr(onnx_model, "_to_onnx", once)
