"""Weights for fine-tuning elsewhere, under torchvision's names."""

import json
from pathlib import Path

import pytest
import torch
import torchvision
from safetensors import safe_open
from safetensors.torch import load_file

from lightly_contrawarp.evaluation.encoders.encoders import TorchEncoder
from lightly_contrawarp.export.safetensors_file import to_safetensors
from lightly_contrawarp.models.backbones import build_backbone
from lightly_contrawarp.models.checkpoint import BackboneInfo


@pytest.mark.parametrize(
    ("name", "head", "tap"),
    [
        ("resnet18", {"fc.weight", "fc.bias"}, "avgpool"),
        (
            "mobilenet_v3_small",
            {f"classifier.{i}.{kind}" for i in (0, 3) for kind in ("weight", "bias")},
            "avgpool",
        ),
        ("efficientnet_b0", {"classifier.1.weight", "classifier.1.bias"}, "avgpool"),
    ],
)
def test_torchvision_loads_all_but_the_head(
    name: str, head: set[str], tap: str, tmp_path: Path
) -> None:
    torch.manual_seed(0)
    backbone, dim = build_backbone(name)
    backbone = backbone.to(memory_format=torch.channels_last).eval()
    info = BackboneInfo(name=name, dim=dim, input_size=32, commercial_use="no")
    path = tmp_path / "backbone.safetensors"
    path.write_bytes(to_safetensors(backbone, info))

    # The example of docs/export.md.
    model = torchvision.models.get_model(name, num_classes=7)
    missing, unexpected = model.load_state_dict(load_file(path), strict=False)

    assert set(missing) == head
    assert unexpected == []
    features: list[torch.Tensor] = []
    getattr(model, tap).register_forward_hook(lambda _, __, y: features.append(y))
    images = torch.randn(2, 3, 32, 32)
    with torch.inference_mode():
        expected = backbone(images)
        model.eval()(images)
    torch.testing.assert_close(features[0].flatten(1), expected)


def test_says_what_it_is(tmp_path: Path) -> None:
    backbone, dim = build_backbone("small")
    info = BackboneInfo(
        name="small", dim=dim, input_size=48, commercial_use="yes",
        training_images="drawn faces",
    )  # fmt: skip
    path = tmp_path / "backbone.safetensors"
    path.write_bytes(to_safetensors(backbone, info))
    with safe_open(path, "pt") as file:
        metadata = file.metadata()
    assert json.loads(metadata.pop("crop")) == json.loads(json.dumps(info.crop))
    assert metadata == {
        "format": "pt",
        "backbone": "small",
        "dim": "128",
        "input_size": "48",
        "preprocessing": "bilinear, antialiased; ImageNet mean and standard deviation",
        "commercial_use": "yes",
        "training_images": "drawn faces",
        "package_version": info.package_version,
        "fingerprint": TorchEncoder(backbone, 48).info.fingerprint,
    }
    loaded = load_file(path)
    assert loaded.keys() == backbone.state_dict().keys()
    for key, value in backbone.state_dict().items():
        assert torch.equal(loaded[key], value)
