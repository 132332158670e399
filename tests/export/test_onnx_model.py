"""The exported file: contract, parity with PyTorch, and that it refuses."""

from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from PIL import Image
from torch import nn
from torch.nn import functional as F

from contrawarp_edge import Embedder, InputError
from contrawarp_edge.model.fingerprint import model_fingerprint
from lightly_contrawarp.export import onnx_model
from lightly_contrawarp.export.onnx_model import EmbeddingModel, export_onnx
from lightly_contrawarp.models.backbones import build_backbone
from lightly_contrawarp.models.checkpoint import BackboneInfo
from lightly_contrawarp.models.preprocessing import preprocess

INFO = BackboneInfo(name="mobilenet_v3_small", dim=576, input_size=48)
SMALL = BackboneInfo(name="small", dim=128, input_size=48)


@pytest.fixture(scope="module")
def encoder() -> nn.Module:
    torch.manual_seed(0)
    return build_backbone(INFO.name)[0].eval()


@pytest.fixture(scope="module")
def exported(
    encoder: nn.Module,
    pil_faces: list[Image.Image],
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    path = tmp_path_factory.mktemp("export") / "model.onnx"
    info, parity = export_onnx(encoder, INFO, path, pil_faces[:4])
    assert parity.max_difference < 1e-5
    assert parity.images == 4
    assert Embedder(path).info == info
    return path


def test_keeps_the_contract(exported: Path) -> None:
    model = onnx.load(exported)
    onnx.checker.check_model(model)
    assert {o.domain: o.version for o in model.opset_import}[""] >= 18
    (given,), (result,) = model.graph.input, model.graph.output
    assert given.type.tensor_type.elem_type == onnx.TensorProto.UINT8
    shape = given.type.tensor_type.shape.dim
    assert [bool(d.dim_param) for d in shape] == [True, True, True, False]
    assert (given.name, result.name) == ("images", "embedding")
    assert all(not t.external_data for t in model.graph.initializer)
    stored = {p.key: p.value for p in model.metadata_props}
    assert stored["contrawarp.input_size"] == "48"
    assert stored["contrawarp.dim"] == "576"
    assert [p.name for p in exported.parent.iterdir()] == ["model.onnx"]


def test_fingerprint_is_that_of_the_graph_and_what_is_said(exported: Path) -> None:
    content = exported.read_bytes()
    model = onnx.load(exported)
    metadata = {p.key: p.value for p in model.metadata_props}
    stored = metadata["contrawarp.fingerprint"]
    assert metadata["contrawarp.format_version"] == "3"
    assert stored == model_fingerprint(content, metadata)
    other = {**metadata, "contrawarp.crop": "{}"}
    assert stored != model_fingerprint(content, other)
    model.graph.initializer[0].raw_data = model.graph.initializer[0].raw_data[::-1]
    assert stored != model_fingerprint(model.SerializeToString(), metadata)
    for broken in (b"", b"text", content[: len(content) // 2]):
        with pytest.raises(InputError, match="not a whole ONNX model"):
            model_fingerprint(broken, metadata)


@pytest.mark.parametrize("size", [(48, 48), (200, 130), (31, 57)])
@pytest.mark.parametrize("batch", [1, 5])
def test_matches_pytorch_for_any_size(
    size: tuple[int, int],
    batch: int,
    exported: Path,
    encoder: nn.Module,
    pil_faces: list[Image.Image],
) -> None:
    images = [face.resize(size) for face in pil_faces[:batch]]
    pixels = torch.stack([torch.from_numpy(np.array(i)) for i in images])
    with torch.inference_mode():
        features = encoder(preprocess(pixels.permute(0, 3, 1, 2), 48))
    expected = F.normalize(features, dim=1).numpy()
    actual = Embedder(exported).embed(images)
    np.testing.assert_allclose(actual, expected, atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(actual, axis=1), 1, atol=1e-5)


def test_a_file_that_differs_is_not_left_behind(
    pil_faces: list[Image.Image],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Skewed(EmbeddingModel):
        def forward(self, images: torch.Tensor) -> torch.Tensor:
            shift = 0.0 if torch.compiler.is_exporting() else 1e-2
            return super().forward(images) + shift

    monkeypatch.setattr(onnx_model, "EmbeddingModel", Skewed)
    path = tmp_path / "model.onnx"
    path.write_text("what was there before")
    with pytest.raises(InputError, match="differ from PyTorch"):
        export_onnx(build_backbone("small")[0].eval(), SMALL, path, pil_faces[:2])
    assert path.read_text() == "what was there before"
    assert len(list(tmp_path.iterdir())) == 1
