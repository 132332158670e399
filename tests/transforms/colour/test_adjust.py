"""Colour changes of batches against torchvision's of single images."""

from collections.abc import Callable

import pytest
import torch
from kornia.filters import gaussian_blur2d
from torchvision.transforms.v2 import functional as TF

from lightly_contrawarp.transforms.colour.adjust import _blur, adjust_
from lightly_contrawarp.transforms.colour.photometry import PhotometryParameters


def photometry(**changes: object) -> PhotometryParameters:
    neutral = PhotometryParameters(
        order=[0, 1, 2, 3],
        factors=torch.tensor([1.0, 1.0, 1.0, 0.0]).repeat(3, 1),
        gray=torch.zeros(3, dtype=torch.bool),
        sigma=torch.zeros(3),
        solarized=torch.zeros(3, dtype=torch.bool),
        blur_radius=5,
    )
    return neutral._replace(**changes)


@pytest.fixture
def batch(faces: torch.Tensor) -> torch.Tensor:
    return faces[:3] / 255


def test_neutral_photometry_changes_nothing(batch: torch.Tensor) -> None:
    assert torch.equal(adjust_(batch.clone(), photometry()), batch)


@pytest.mark.parametrize(
    ("step", "adjust", "values"),
    [
        (0, TF.adjust_brightness, [0.6, 1.0, 1.4]),
        (1, TF.adjust_contrast, [0.6, 1.0, 1.4]),
        (2, TF.adjust_saturation, [0.8, 1.0, 1.2]),
        (3, TF.adjust_hue, [-0.1, 0.0, 0.1]),
    ],
)
def test_each_image_is_adjusted_as_by_torchvision(
    step: int,
    adjust: Callable[..., torch.Tensor],
    values: list[float],
    batch: torch.Tensor,
) -> None:
    factors = photometry().factors
    factors[:, step] = torch.tensor(values)
    actual = adjust_(batch.clone(), photometry(factors=factors))
    expected = torch.stack(
        [adjust(image, value) for image, value in zip(batch, values, strict=True)]
    )
    torch.testing.assert_close(actual, expected, atol=2e-3, rtol=0)


def test_gray_blur_and_solarize_as_by_torchvision(batch: torch.Tensor) -> None:
    chosen = torch.tensor([True, False, True])
    gray = adjust_(batch.clone(), photometry(gray=chosen))
    torch.testing.assert_close(
        gray[0], TF.rgb_to_grayscale(batch[0], 3), atol=2e-3, rtol=0
    )
    assert torch.equal(gray[1], batch[1])
    blurred = adjust_(batch.clone(), photometry(sigma=torch.tensor([0.7, 0, 1.5])))
    expected = TF.gaussian_blur(batch[2], [11, 11], [1.5, 1.5])
    torch.testing.assert_close(blurred[2], expected, atol=2e-3, rtol=0)
    assert torch.equal(blurred[1], batch[1])
    solarized = adjust_(batch.clone(), photometry(solarized=chosen))
    expected = TF.solarize((batch[0] * 255).byte(), 128) / 255
    torch.testing.assert_close(solarized[0], expected, atol=1e-5, rtol=0)
    assert torch.equal(solarized[1], batch[1])


def test_a_blur_wider_than_the_picture_stays_within_it() -> None:
    picture = torch.rand(1, 3, 7, 9).repeat(3, 1, 1, 1)
    drawn = photometry(sigma=torch.full((3,), 4.0), blur_radius=12)
    expected = TF.gaussian_blur(picture[0], [7, 7], [4.0, 4.0])
    torch.testing.assert_close(adjust_(picture, drawn)[0], expected)


@pytest.mark.parametrize(("channels", "size", "radius"), [(3, 24, 6), (1, 9, 6)])
def test_blur_is_that_of_kornia(channels: int, size: int, radius: int) -> None:
    images = torch.rand(5, channels, size, size + 3)
    sigma = torch.tensor([0.1, 0.5, 1.0, 2.0, 4.0])
    window = 2 * min(radius, (size - 1) // 2) + 1
    expected = gaussian_blur2d(images, (window, window), sigma[:, None].expand(-1, 2))
    found = _blur(images, sigma, radius)
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=0)
