"""The maths of local warps against closed forms and a float64 NumPy evaluation."""

import math

import numpy as np
import pytest
import torch

from lightly_contrawarp.transforms.geometry.bumps import (
    WarpParameters,
    bump_field,
    limit_to_bijection,
    lipschitz_bound,
    warp_points,
)
from lightly_contrawarp.transforms.geometry.sampling_grid import (
    identity_affine,
    sample,
    sampling_grid,
)
from lightly_contrawarp.transforms.local_warp import LocalWarp

SIZE = (112, 96)
PEAK_SLOPE = 8 / (3 * math.sqrt(3))  # largest |w'|


def one_bump(length: float, radius: float = 0.2) -> WarpParameters:
    center = torch.tensor([[[0.5, 0.5]]])
    vector = torch.tensor([[[length, 0.0]]])
    return WarpParameters(
        center, torch.tensor([[radius]]), vector, torch.tensor([[length]])
    )


def numpy_field(points: np.ndarray, parameters: WarpParameters) -> np.ndarray:
    """d(x) of one warp, point by point and bump by bump."""
    centers, radii, vectors, _ = (t[0].double().numpy() for t in parameters)
    field = np.zeros_like(points, dtype=np.float64)
    for center, radius, vector in zip(centers, radii, vectors, strict=True):
        q = np.linalg.norm(points - center, axis=-1) / radius
        field -= np.where(q < 1, (1 - q**2) ** 2, 0)[..., None] * vector
    return field


def pixel_centers(height: int, width: int) -> np.ndarray:
    y, x = np.mgrid[:height, :width]
    return np.stack([(x + 0.5) / width, (y + 0.5) / height], axis=-1)


def jacobian_determinants(grid: torch.Tensor) -> torch.Tensor:
    """Determinants of the applied map between pixels, ``[B, H-1, W-1]``."""
    height, width = grid.shape[1:3]
    x = grid / 2 * torch.tensor([width, height])
    across, down = x[:, :, 1:] - x[:, :, :-1], x[:, 1:] - x[:, :-1]
    across, down = across[:, :-1], down[:, :, :-1]
    return across[..., 0] * down[..., 1] - across[..., 1] * down[..., 0]


@pytest.mark.parametrize("around", ["landmarks", "box"])
@pytest.mark.parametrize("num_bumps", [1, 4, 8])
def test_no_draw_folds_even_at_excessive_strength(around: str, num_bumps: int) -> None:
    warp = LocalWarp(num_bumps=num_bumps, strength=(0.5, 2.0), around=around)
    generator = torch.Generator().manual_seed(num_bumps)
    parameters = warp.draw(1000, generator=generator)
    grid = sampling_grid(identity_affine(1000, parameters.radii), (64, 64), parameters)
    assert jacobian_determinants(grid).min() > 0


def test_beyond_the_bound_it_does_fold() -> None:
    limit = 1 / PEAK_SLOPE * 0.2
    affine = torch.eye(2, 3)[None]
    for factor, folds in ((0.95, False), (1.1, True)):
        grid = sampling_grid(affine, (224, 224), one_bump(factor * limit))
        assert bool((jacobian_determinants(grid) <= 0).any()) is folds


def test_bound_is_never_below_the_true_steepness_and_tight_for_one_bump() -> None:
    parameters = LocalWarp(num_bumps=5).draw(200, dtype=torch.float64)
    points = torch.rand(200, 2000, 2, dtype=torch.float64)
    step = torch.randn(200, 2000, 2, dtype=torch.float64) * 1e-6
    change = bump_field(points + step, parameters) - bump_field(points, parameters)
    steepness = (change.norm(dim=-1) / step.norm(dim=-1)).amax(dim=1)
    bound = lipschitz_bound(parameters)
    assert (steepness <= bound * (1 + 1e-6)).all()
    single = lipschitz_bound(one_bump(0.05))
    assert single.item() == pytest.approx(PEAK_SLOPE * 0.05 / 0.2, rel=1e-5)


def test_limit_scales_only_what_exceeds_it() -> None:
    weak, strong = one_bump(0.02), one_bump(0.5)
    both = WarpParameters(*(torch.cat(pair) for pair in zip(weak, strong, strict=True)))
    limited = limit_to_bijection(both)
    assert torch.equal(limited.vectors[0], weak.vectors[0])
    assert lipschitz_bound(limited)[1].item() == pytest.approx(0.9, rel=1e-5)
    torch.testing.assert_close(limited.actions, limited.vectors[:, :, 0])
    assert not limited.stilled().actions.any()
    with pytest.raises(ValueError, match="between 0 and 1"):
        limit_to_bijection(both, bound=1.0)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_dense_field_matches_numpy(dtype: torch.dtype) -> None:
    parameters = LocalWarp().draw(4, dtype=dtype)
    grid = sampling_grid(identity_affine(4, parameters.radii), SIZE, parameters)
    assert grid.dtype == dtype
    points = pixel_centers(*SIZE)
    for index in range(4):
        one = parameters.select(slice(index, index + 1))
        expected = numpy_field(points, one)
        actual = (grid[index].double().numpy() + 1) / 2 - points
        error = np.abs(actual - expected) * SIZE[::-1]
        assert error.max() < 0.2  # pixels, from the coarse grid
        direct = bump_field(torch.from_numpy(points.reshape(1, -1, 2)).to(dtype), one)
        np.testing.assert_allclose(
            direct[0].numpy(), expected.reshape(-1, 2), atol=1e-6
        )


def test_affine_and_warp_compose() -> None:
    parameters = LocalWarp().draw(1, dtype=torch.float64)
    affine = torch.tensor([[[0.8, 0.1, 0.05], [-0.1, 0.7, 0.2]]], dtype=torch.float64)
    grid = sampling_grid(affine, SIZE, parameters)
    source = pixel_centers(*SIZE) @ affine[0, :, :2].numpy().T + affine[0, :, 2].numpy()
    expected = source + numpy_field(source, parameters)
    error = np.abs((grid[0].numpy() + 1) / 2 - expected) * SIZE[::-1]
    assert error.max() < 0.2


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_zero_strength_is_the_identity(dtype: torch.dtype) -> None:
    images = torch.rand(3, 3, *SIZE, dtype=dtype)
    parameters = LocalWarp().draw(3, dtype=dtype).stilled()
    grid = sampling_grid(identity_affine(3, images), SIZE, parameters)
    tolerance = 1e-4 if dtype == torch.float32 else 1e-11
    torch.testing.assert_close(sample(images, grid), images, atol=tolerance, rtol=0)


def test_autocast_does_not_touch_a_grid() -> None:
    parameters = LocalWarp().draw(2)
    affine = identity_affine(2, parameters.radii)
    expected = sampling_grid(affine, SIZE, parameters)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(sampling_grid(affine, SIZE, parameters), expected)


def test_points_carried_forward_land_where_the_pixels_went() -> None:
    size = 200
    points = torch.tensor([[[0.3, 0.4], [0.7, 0.4], [0.5, 0.8]]], dtype=torch.float64)
    # Few bumps at a moderate strength, so that a blob stays a blob.
    parameters = LocalWarp(num_bumps=3, radius=(0.6, 0.7)).draw(1, dtype=torch.float64)
    y, x = torch.meshgrid(torch.arange(size), torch.arange(size), indexing="ij")
    pixels = torch.stack([x, y], dim=-1).double().add(0.5) / size
    blobs = torch.stack(
        [torch.exp(-(pixels - p).square().sum(-1) / 2 / 0.01**2) for p in points[0]]
    )
    grid = sampling_grid(identity_affine(1, points), (size, size), parameters)
    warped = sample(blobs[None], grid)[0]
    landed = torch.stack([pixels.reshape(-1, 2)[blob.argmax()] for blob in warped])
    moved = warp_points(points, parameters)
    assert ((moved[0] - points[0]).norm(dim=-1) > 0.01).any()
    torch.testing.assert_close(landed, moved[0], atol=1.5 / size, rtol=0)


def test_carried_points_solve_the_backward_map() -> None:
    parameters = LocalWarp(strength=(1.0, 1.0)).draw(50, dtype=torch.float64)
    points = torch.rand(50, 20, 2, dtype=torch.float64)
    moved = warp_points(points, parameters, iterations=300)
    back = moved + bump_field(moved, parameters)
    torch.testing.assert_close(back, points, atol=1e-9, rtol=0)
