"""Global geometry against torchvision's transforms."""

import numpy as np
import pytest
import torch
from torchvision.transforms import v2
from torchvision.transforms.v2 import functional as TF

from lightly_contrawarp.transforms.geometry.global_geometry import GlobalGeometry
from lightly_contrawarp.transforms.geometry.sampling_grid import sample, sampling_grid

STILL = {"min_scale": 1.0, "hf_prob": 0.0, "vf_prob": 0.0, "rr_prob": 0.0}


def view(image: torch.Tensor, affine: torch.Tensor, size: int) -> torch.Tensor:
    return sample(image[None], sampling_grid(affine, (size, size)))[0]


def pattern(size: int = 64) -> torch.Tensor:
    y, x = torch.meshgrid(torch.arange(size), torch.arange(size), indexing="ij")
    return torch.stack([torch.sin(x / 7), torch.sin(y / 5), torch.cos((x + y) / 9)])


def test_flips_are_torchvisions() -> None:
    image = pattern()
    for flip, expected in (
        ("hf_prob", TF.horizontal_flip(image)),
        ("vf_prob", TF.vertical_flip(image)),
    ):
        geometry = GlobalGeometry(**{**STILL, flip: 1.0})
        # Ratios other than 1 do not fit a crop of the whole area.
        affine = geometry.draw(1)
        torch.testing.assert_close(view(image, affine, 64), expected, atol=1e-4, rtol=0)


@pytest.mark.parametrize("degrees", [30.0, -12.5, 90.0])
def test_rotation_is_counter_clockwise_as_torchvisions(degrees: float) -> None:
    image = pattern()
    settings = {**STILL, "rr_prob": 1.0, "rr_degrees": (degrees, degrees)}
    actual = view(image, GlobalGeometry(**settings).draw(1), 64)
    expected = TF.rotate(image, degrees, interpolation=v2.InterpolationMode.BILINEAR)
    inner = slice(20, 44)  # the corners are filled in other ways
    torch.testing.assert_close(
        actual[:, inner, inner], expected[:, inner, inner], atol=1e-3, rtol=0
    )


def test_rotation_by_default_of_lightly_is_a_right_angle() -> None:
    settings = {**STILL, "rr_prob": 1.0, "rr_degrees": None}
    actual = view(pattern(), GlobalGeometry(**settings).draw(1), 64)
    torch.testing.assert_close(actual, pattern().rot90(1, (1, 2)), atol=1e-4, rtol=0)


@pytest.mark.parametrize("aspect", [1.0, 1.5, 0.4, 3.0])
@pytest.mark.parametrize("min_scale", [0.08, 0.8])
def test_crops_are_distributed_as_random_resized_crop(
    aspect: float, min_scale: float
) -> None:
    torch.manual_seed(0)
    height, width = 400, round(400 * aspect)
    image = torch.empty(1, height, width)
    boxes = np.array(
        [
            v2.RandomResizedCrop.make_params(
                v2.RandomResizedCrop(8, scale=(min_scale, 1.0)), [image]
            )[key]
            for _ in range(3000)
            for key in ("top", "left", "height", "width")
        ]
    ).reshape(-1, 4) / [height, width, height, width]
    settings = {**STILL, "min_scale": min_scale}
    affine = GlobalGeometry(**settings).draw(3000, aspect).numpy()
    extent = affine[:, [1, 0], [1, 0]]
    corner = affine[:, [1, 0], 2]
    ours = np.concatenate([corner, extent], axis=1)
    for column in range(4):
        quantiles = np.linspace(0.02, 0.98, 13)
        np.testing.assert_allclose(
            np.quantile(ours[:, column], quantiles),
            np.quantile(boxes[:, column], quantiles),
            atol=0.03,
        )


def test_views_stay_inside_the_image() -> None:
    settings = {"min_scale": 0.1, "rr_prob": 0.0}
    affine = GlobalGeometry(**settings).draw(500)
    corners = torch.tensor([[0.0, 0, 1], [1, 0, 1], [0, 1, 1], [1, 1, 1]])
    seen = corners @ affine.mT
    assert seen.min() > -1e-5
    assert seen.max() < 1 + 1e-5
