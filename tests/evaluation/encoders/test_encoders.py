from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import Result
from PIL import Image
from torch import Tensor, nn

from contrawarp_edge.core.errors import InputError
from lightly_contrawarp.evaluation.encoders.encoders import TorchEncoder
from lightly_contrawarp.evaluation.encoders.opening import load_encoder
from lightly_contrawarp.models.backbones import build_backbone
from lightly_contrawarp.models.preprocessing import to_batch


def test_checkpoint_and_export_agree_up_to_length(
    small_checkpoint: Path,
    small_export: tuple[Path, Result],
    pil_faces: list[Image.Image],
) -> None:
    images = [face.resize((40 + 9 * i, 64)) for i, face in enumerate(pil_faces[:4])]
    raw, unit = (load_encoder(path) for path in (small_checkpoint, small_export[0]))
    values, embeddings = (e.embed(e.prepare(images)) for e in (raw, unit))
    assert values.shape == (4, 128)
    lengths = np.linalg.norm(values, axis=1, keepdims=True)
    np.testing.assert_allclose(values / lengths, embeddings, atol=1e-5)
    assert (raw.info.unit_length, unit.info.unit_length) == (False, True)
    assert (raw.info.features, unit.info.features) == ("pooled", "embedding")
    assert raw.info.kind == "checkpoint"
    assert unit.info.kind == "onnx"
    for info in (raw.info, unit.info):
        assert (info.backbone, info.input_size) == ("small", 48)
        assert len(info.fingerprint) == 64


def test_torch_encoder__mode_of_each_layer_is_restored() -> None:
    class Watched(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.frozen = nn.Dropout().eval()

        def forward(self, images: Tensor) -> Tensor:
            assert not self.training
            assert torch.is_inference_mode_enabled()
            return images.mean(dim=(2, 3))

    module = Watched()
    module.train()
    module.frozen.eval()
    TorchEncoder(module, 8).embed(torch.rand(2, 3, 8, 8))
    assert module.training
    assert not module.frozen.training


def test_fingerprint__is_that_of_what_is_computed() -> None:
    torch.manual_seed(0)
    module, _ = build_backbone("small")
    fingerprint = TorchEncoder(module, 48).info.fingerprint
    assert TorchEncoder(module, 64, source="x").info.fingerprint == fingerprint
    # A batch norm's statistics are no parameters, but change the features.
    batch_norm = next(m for m in module.modules() if isinstance(m, nn.BatchNorm2d))
    assert batch_norm.running_mean is not None
    batch_norm.running_mean[0] += 1e-3
    assert TorchEncoder(module, 48).info.fingerprint != fingerprint
    layers = [nn.Sequential(nn.Flatten(), a) for a in (nn.ReLU(), nn.Tanh())]
    without_weights = {TorchEncoder(one, 8).info.fingerprint for one in layers}
    assert len(without_weights) == 2


def test_spatial_features_are_those_before_pooling(
    small_checkpoint: Path, pil_faces: list[Image.Image]
) -> None:
    encoder = load_encoder(small_checkpoint, features="spatial")
    batch = to_batch(pil_faces[:3], 48)
    values = encoder.embed(batch)
    assert values.shape == (3, 128 * 9)
    assert encoder.info.features == "spatial, 3 x 3 cells"
    # Three cells a side tile the map of 3 x 3: their mean is what pooling gives.
    pooled = load_encoder(small_checkpoint).embed(batch)
    means = values.reshape(3, 128, 9).mean(axis=2)
    np.testing.assert_allclose(means, pooled, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
    ("name", "size", "channels"),
    [("resnet18", 112, 512), ("mobilenet_v3_small", 112, 576)],
)
def test_spatial_features__of_torchvision_models(
    name: str, size: int, channels: int
) -> None:
    module, dim = build_backbone(name)
    images = torch.rand(2, 3, size, size)
    spatial = TorchEncoder(module, size, features="spatial")
    # Both maps are 4 x 4 at this size, so that the cells overlap.
    assert spatial.embed(images).shape == (2, 9 * channels)
    assert TorchEncoder(module, size).embed(images).shape == (2, dim)
    assert not any(layer._forward_hooks for layer in module.modules())


def test_spatial_features__without_a_map() -> None:
    transformer, _ = build_backbone("vit_b_32")
    flat = nn.Sequential(nn.Flatten(), nn.Linear(192, 7))
    for module, size in ((transformer, 224), (flat, 8)):
        with pytest.raises(InputError, match=f"at {size} pixels; use pooled features"):
            TorchEncoder(module, size, features="spatial")


def test_load_encoder__bad_input(
    small_export: tuple[Path, Result], tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=r"model\.onnx: .*give its checkpoint"):
        load_encoder(small_export[0], features="spatial")
    (tmp_path / "a.onnx").write_bytes(b"no model")
    (tmp_path / "a.ckpt").write_bytes(b"no model")
    for name in ("a.onnx", "a.ckpt", "missing.onnx", "missing.ckpt"):
        with pytest.raises(InputError, match=name):
            load_encoder(tmp_path / name)
