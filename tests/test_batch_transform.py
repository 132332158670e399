"""The batched views against the per-image ones."""

import numpy as np
import pytest
import torch
from torchvision.transforms.v2 import functional as TF

from lightly_contrawarp import (
    ContraWarpTransform,
    ContraWarpViewTransform,
    LocalWarp,
)
from lightly_contrawarp.batch_transform import (
    ContraWarpBatchTransform,
    Photometry,
    apply_photometry,
    draw_photometry,
)
from lightly_contrawarp.crop import FACE_CROP

SIZE = 48


def photometry(**changes: object) -> Photometry:
    one = torch.ones(3)
    neutral = Photometry(
        order=[0, 1, 2, 3],
        factors=(one, one, one, one * 0),
        gray=torch.zeros(3, dtype=torch.bool),
        sigma=torch.zeros(3),
        solarized=torch.zeros(3, dtype=torch.bool),
    )
    return neutral._replace(**changes)


@pytest.fixture
def batch(faces: torch.Tensor) -> torch.Tensor:
    return faces[:3] / 255


def test_neutral_photometry_changes_nothing(batch: torch.Tensor) -> None:
    assert apply_photometry(batch, photometry()) is batch


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
    step: int, adjust: object, values: list[float], batch: torch.Tensor
) -> None:
    factors = list(photometry().factors)
    factors[step] = torch.tensor(values) * (2 * np.pi if step == 3 else 1)
    actual = apply_photometry(batch, photometry(factors=tuple(factors)))
    expected = torch.stack(
        [adjust(image, value) for image, value in zip(batch, values, strict=True)]
    )
    torch.testing.assert_close(actual, expected, atol=2e-3, rtol=0)


def test_gray_blur_and_solarize_as_by_torchvision(batch: torch.Tensor) -> None:
    chosen = torch.tensor([True, False, True])
    gray = apply_photometry(batch, photometry(gray=chosen))
    torch.testing.assert_close(
        gray[0], TF.rgb_to_grayscale(batch[0], 3), atol=2e-3, rtol=0
    )
    assert torch.equal(gray[1], batch[1])
    blurred = apply_photometry(batch, photometry(sigma=torch.tensor([0.7, 0, 1.5])))
    expected = TF.gaussian_blur(batch[2], [11, 11], [1.5, 1.5])
    torch.testing.assert_close(blurred[2], expected, atol=2e-3, rtol=0)
    assert torch.equal(blurred[1], batch[1])
    solarized = apply_photometry(batch, photometry(solarized=chosen))
    expected = TF.solarize((batch[0] * 255).byte(), 128) / 255
    torch.testing.assert_close(solarized[0], expected, atol=1e-5, rtol=0)
    assert torch.equal(solarized[1], batch[1])


def test_drawn_parameters_have_the_ranges_of_the_view() -> None:
    torch.manual_seed(0)
    view = ContraWarpViewTransform(
        112, cj_prob=0.5, gaussian_blur=0.3, solarization_prob=0.2
    )
    drawn = draw_photometry(view, 4000)
    on = drawn.factors[0] != 1
    assert on.float().mean().item() == pytest.approx(0.5, abs=0.03)
    for factor, (low, high) in zip(
        drawn.factors,
        [(0.6, 1.4), (0.6, 1.4), (0.8, 1.2), (-0.628, 0.628)],
        strict=True,
    ):
        assert factor.min().item() == pytest.approx(low, abs=0.01)
        assert factor.max().item() == pytest.approx(high, abs=0.01)
    assert (drawn.sigma > 0).float().mean().item() == pytest.approx(0.3, abs=0.03)
    assert drawn.sigma.max().item() == pytest.approx(2.0, abs=0.01)
    assert drawn.solarized.float().mean().item() == pytest.approx(0.2, abs=0.03)
    assert drawn.gray.float().mean().item() == pytest.approx(0.2, abs=0.03)


@pytest.mark.parametrize("paired", [False, True])
def test_statistics_agree_with_the_per_image_path(
    paired: bool, faces: torch.Tensor
) -> None:
    torch.manual_seed(0)
    per_image = ContraWarpTransform(SIZE, 1, paired)
    batched = ContraWarpBatchTransform(per_image)
    repeated = faces[:4].repeat(100, 1, 1, 1)
    slow = [torch.stack(v) for v in zip(*map(per_image, repeated), strict=True)]
    fast = batched(repeated)
    assert len(slow) == len(fast) == (4 if paired else 3)
    for one, other in zip(slow, fast, strict=True):
        assert one.shape == other.shape
        for statistic in (
            lambda x: x.mean((1, 2, 3)),
            lambda x: x.std((1, 2, 3)),
            lambda x: (x[..., 1:] - x[..., :-1]).abs().mean((1, 2, 3)),  # sharpness
            lambda x: (x[:, 0] - x[:, 2]).abs().mean((1, 2)),  # colour
        ):
            a, b = statistic(one), statistic(other)
            spread = float(a.std()) + 1e-3
            assert abs(float(a.mean() - b.mean())) < 0.25 * spread
            assert 0.7 < float(b.std() / spread) < 1.4


def test_without_randomness_it_is_the_resized_image(faces: torch.Tensor) -> None:
    still = ContraWarpViewTransform(
        64, cj_prob=0, random_gray_scale=0, gaussian_blur=0, min_scale=1.0,
        hf_prob=0, rr_prob=0, normalize=None,
    )  # fmt: skip
    transform = ContraWarpTransform(
        num_negatives=1,
        warp=LocalWarp(strength=(0, 0)),
        view_1_transform=still,
        view_2_transform=still,
    )
    views = ContraWarpBatchTransform(transform)(faces[:5])
    for view in views:
        torch.testing.assert_close(view, faces[:5] / 255, atol=1e-4, rtol=0)


def test_images_of_a_batch_differ_and_seeds_decide(faces: torch.Tensor) -> None:
    batched = ContraWarpBatchTransform(ContraWarpTransform(SIZE))
    same = faces[:1].repeat(4, 1, 1, 1)
    torch.manual_seed(1)
    first = batched(same)
    torch.manual_seed(1)
    again = batched(same.float() / 255)
    assert not torch.equal(first[0][0], first[0][1])
    for one, other in zip(first, again, strict=True):
        torch.testing.assert_close(one, other)


def test_gray_images_get_the_views_of_their_copy_in_three_channels(
    faces: torch.Tensor,
) -> None:
    batched = ContraWarpBatchTransform(
        ContraWarpTransform(
            view_1_transform=ContraWarpViewTransform(SIZE, solarization_prob=0.5),
            view_2_transform=ContraWarpViewTransform(SIZE, random_gray_scale=0.5),
        )
    )
    gray = faces[:8, :1]
    torch.manual_seed(2)
    views = batched(gray)
    torch.manual_seed(2)
    expected = batched(gray.expand(-1, 3, -1, -1))
    for one, other in zip(views, expected, strict=True):
        assert one.shape == (8, 3, SIZE, SIZE)
        torch.testing.assert_close(one, other, atol=1e-4, rtol=0)


def test_wrong_shape() -> None:
    batched = ContraWarpBatchTransform(ContraWarpTransform(SIZE))
    with pytest.raises(ValueError, match=r"\[B, 1 or 3, H, W\], got \[3, 8, 8\]"):
        batched(torch.rand(3, 8, 8))
    with pytest.raises(ValueError, match=r"\[B, 1 or 3, H, W\], got \[3, 8, 8\]"):
        batched(torch.rand(3, 3, 8, 8), neighbours=torch.rand(3, 8, 8))
    with pytest.raises(ValueError, match="landmarks must have shape"):
        batched(torch.rand(3, 3, 8, 8), torch.rand(3, 5, 2))


@pytest.mark.parametrize(
    ("num_negatives", "paired"), [(0, True), (2, True), (2, False)]
)
@pytest.mark.parametrize("guided", [False, True])
def test_neighbours_get_the_views_of_the_per_image_path(
    num_negatives: int, paired: bool, guided: bool, faces: torch.Tensor
) -> None:
    still = ContraWarpViewTransform(
        64, cj_prob=0, random_gray_scale=0, gaussian_blur=0, min_scale=1.0,
        hf_prob=0, rr_prob=0, normalize=None,
    )  # fmt: skip
    transform = ContraWarpTransform(
        num_negatives=num_negatives,
        paired=paired,
        view_1_transform=still,
        view_2_transform=still,
    )
    images, others = faces[:3], faces[3:6]
    template = torch.tensor(list(FACE_CROP.landmarks.values()))
    landmarks = template + 0.05 * torch.randn(3, 2, 8, 2) if guided else None
    torch.manual_seed(6)
    views = ContraWarpBatchTransform(transform)(images, landmarks, others)
    torch.manual_seed(6)
    warps = transform.draw_warps(3, landmarks)
    assert len(warps) == (2 if guided else 1)
    for row in range(3):
        first, second = (
            [warp.select(slice(row, row + 1)) for warp in frame]
            for frame in (warps[0], warps[-1])
        )
        expected = transform.views(images[row], first, (others[row], second))
        assert len(expected) == len(views)
        for one, other in zip(views, expected, strict=True):
            torch.testing.assert_close(one[row], other, atol=1e-4, rtol=0)
