"""Backbones by name."""

import pytest
import torch
from torchvision.models import get_model

from contrawarp_edge.errors import InputError
from lightly_contrawarp.backbones import build_backbone


@pytest.mark.parametrize(
    ("name", "dim"),
    [
        ("resnet18", 512),
        ("mobilenet_v3_small", 576),
        ("shufflenet_v2_x0_5", 1024),
        ("mnasnet0_5", 1280),
        ("convnext_tiny", 768),
        ("densenet121", 1024),
    ],
)
def test_gives_features_and_keeps_torchvisions_keys(name: str, dim: int) -> None:
    backbone, width = build_backbone(name)
    assert width == dim
    assert backbone.eval()(torch.rand(2, 3, 64, 64)).shape == (2, dim)
    assert set(backbone.state_dict()) < set(get_model(name).state_dict())


def test_the_small_one() -> None:
    backbone, width = build_backbone("small")
    assert backbone.eval()(torch.rand(2, 3, 48, 48)).shape == (2, width)
    assert sum(p.numel() for p in backbone.parameters()) < 200_000


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("resnet81", "did you mean .*resnet18"),
        ("qqqq", "did you mean resnet18"),
        ("squeezenet1_1", "head that cannot be removed"),
        ("googlenet", "head that cannot be removed"),
    ],
)
@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_refuses_the_others(name: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        build_backbone(name)
