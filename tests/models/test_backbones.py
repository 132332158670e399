"""Backbones by name."""

import pytest
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode
from torchvision.models import get_model

from contrawarp_edge.core.errors import InputError
from lightly_contrawarp.models.backbones import build_backbone


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


@pytest.mark.parametrize("name", ["mobilenet_v3_small", "mnasnet0_5"])
def test_statistics_follow_within_tens_of_steps(name: str) -> None:
    backbone, _ = build_backbone(name)
    norms = [m for m in backbone.modules() if isinstance(m, nn.BatchNorm2d)]
    seen: list[Tensor] = []
    norms[0].register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    images = torch.rand(4, 3, 32, 32)
    with torch.no_grad():
        for _ in range(20):
            backbone.train()(images)
    assert norms[0].running_mean is not None
    share = 1 - 0.9**20
    torch.testing.assert_close(
        norms[0].running_mean, share * seen[0].mean((0, 2, 3)), rtol=1e-3, atol=1e-5
    )
    assert {norm.momentum for norm in norms} == {0.1}


def test_the_small_one() -> None:
    backbone, width = build_backbone("small")
    assert backbone.eval()(torch.rand(2, 3, 48, 48)).shape == (2, width)
    assert sum(p.numel() for p in backbone.parameters()) < 200_000


def test_small_ones_by_width() -> None:
    small = build_backbone("small")[0]
    for name, factor in (("small_w32", 2), ("small_w64", 4)):
        backbone, width = build_backbone(name)
        assert backbone.eval()(torch.rand(2, 3, 48, 48)).shape == (2, width)
        assert width == factor * 128
        assert backbone.state_dict().keys() == small.state_dict().keys()
        assert work(backbone) == factor**2 * work(small)


def work(backbone: nn.Module) -> int:
    """Operations of all convolutions but the first, whose input is as wide for all."""
    with FlopCounterMode(display=False) as counter:
        backbone.eval()(torch.rand(1, 3, 48, 48))
    first: int = backbone.state_dict()["0.weight"].numel()
    return int(counter.get_total_flops()) - 2 * 24 * 24 * first


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("resnet81", "did you mean .*resnet18"),
        ("qqqq", "did you mean resnet18"),
        ("small_w16", "did you mean .*small_w64"),
        ("squeezenet1_1", "head that cannot be removed"),
        ("googlenet", "head that cannot be removed"),
    ],
)
@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_refuses_the_others(name: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        build_backbone(name)
