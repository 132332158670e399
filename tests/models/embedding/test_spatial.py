"""The last feature map, averaged as PyTorch's pooling does."""

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from contrawarp_edge.core.errors import InputError
from lightly_contrawarp.models.backbones import build_backbone
from lightly_contrawarp.models.embedding.spatial import (
    SpatialFeatures,
    averaging_matrix,
)


class Own(nn.Module):
    """Branches, as few tracers can follow, and pools by a function."""

    def __init__(self) -> None:
        super().__init__()
        self.block = nn.Sequential(nn.Conv2d(3, 5, 3, padding=1), nn.BatchNorm2d(5))

    def forward(self, images: Tensor) -> Tensor:
        maps: Tensor = self.block(images)
        return (maps if maps.shape[2] > 1 else -maps).mean((2, 3))


@pytest.mark.parametrize("height", range(1, 12))
def test_matrices_average_as_adaptive_pooling_does(height: int) -> None:
    maps = torch.rand(2, 4, height, 7)
    cells = min(3, height)
    pooled = averaging_matrix(height, cells) @ maps @ averaging_matrix(7, 3).T
    torch.testing.assert_close(pooled, F.adaptive_avg_pool2d(maps, (cells, 3)))


@pytest.mark.parametrize(
    ("name", "size", "layer", "cells", "dim"),
    [
        ("small", 48, "17", (3, 3), 128 * 9),
        ("small", 32, "17", (2, 2), 128 * 4),
        ("resnet18", 112, "layer4", (3, 3), 512 * 9),
        ("mobilenet_v3_small", 112, "features", (3, 3), 576 * 9),
        ("own", 16, "block", (3, 3), 5 * 9),
    ],
)
def test_features_are_the_pooled_map_of_the_last_layer(
    name: str, size: int, layer: str, cells: tuple[int, int], dim: int
) -> None:
    backbone = Own() if name == "own" else build_backbone(name)[0]
    statistics = {key: value.clone() for key, value in backbone.state_dict().items()}
    spatial = SpatialFeatures(backbone.train(), size)
    assert backbone.training
    for key, value in backbone.state_dict().items():
        assert torch.equal(value, statistics[key]), "looking for the map changed it"
    assert (spatial.layer, spatial.cells, spatial.dim) == (layer, cells, dim)
    maps: list[Tensor] = []
    images = torch.rand(2, 3, size, size)
    backbone.get_submodule(layer).register_forward_hook(lambda _, __, y: maps.append(y))
    with torch.inference_mode():
        features = spatial.eval()(images)
    torch.testing.assert_close(features, F.adaptive_avg_pool2d(maps[0], cells))
    assert features.flatten(1).shape == (2, dim)
    assert spatial.state_dict().keys() == {f"backbone.{key}" for key in statistics}


def test_channels_last_in_the_shape_are_no_map() -> None:
    class Tokens(nn.Module):
        """Ends as some transformers do: ``[n, h, w, c]``, averaged over h and w."""

        def __init__(self) -> None:
            super().__init__()
            self.block = nn.Linear(3, 7)

        def forward(self, images: Tensor) -> Tensor:
            last: Tensor = self.block(images.movedim(1, -1))
            return last.mean((1, 2))

    with pytest.raises(InputError, match="Tokens has no last feature map larger than"):
        SpatialFeatures(Tokens(), 16)
