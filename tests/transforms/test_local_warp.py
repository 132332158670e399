"""LocalWarp: drawing, replaying, kinds of images."""

import pytest
import torch

from contrawarp_edge.align.crop import FACE_CROP
from lightly_contrawarp import LocalWarp
from lightly_contrawarp.transforms.geometry.bumps import WarpParameters, lipschitz_bound


@pytest.mark.parametrize("shape", [(3, 40, 48), (5, 3, 40, 48), (5, 1, 40, 48)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.uint8])
def test_keeps_shape_and_type(shape: tuple[int, ...], dtype: torch.dtype) -> None:
    images = (torch.rand(shape) * 255).to(dtype)
    warped = LocalWarp()(images)
    assert warped.shape == images.shape
    assert warped.dtype == dtype
    assert not torch.equal(warped, images)


def test_replay_gives_the_same_and_seeds_decide() -> None:
    images, warp = torch.rand(4, 3, 32, 32), LocalWarp()
    draws = [
        warp.draw(4, generator=torch.Generator().manual_seed(s)) for s in (1, 1, 2)
    ]
    first, again, other = (warp(images, draw) for draw in draws)
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    torch.manual_seed(3)
    implicit = warp(images)
    torch.manual_seed(3)
    assert torch.equal(implicit, warp(images))


def test_each_image_of_a_batch_has_its_own_warp() -> None:
    images = torch.rand(1, 3, 32, 32).repeat(3, 1, 1, 1)
    warped = LocalWarp()(images)
    assert not torch.equal(warped[0], warped[1])


def test_gradient_reaches_the_image() -> None:
    warp = LocalWarp()
    parameters = warp.draw(2, dtype=torch.float64)
    images = torch.rand(2, 1, 6, 6, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: warp(x, parameters), (images,))


def test_units_are_those_of_the_face() -> None:
    warp = LocalWarp(num_bumps=1, strength=(0.1, 0.2), radius=(0.5, 0.6))
    parameters = warp.draw(2000)
    lengths = warp.strength_of(parameters)
    assert 0.1 <= lengths.min() < 0.105
    assert 0.195 < lengths.max() <= 0.2001
    radii = parameters.radii / FACE_CROP.interocular
    assert 0.5 <= radii.min() < radii.max() <= 0.6


def test_centres() -> None:
    boxed = LocalWarp(around="box").draw(2000).centers
    left, top, right, bottom = FACE_CROP.face_box
    assert boxed[..., 0].min() >= left
    assert boxed[..., 0].max() <= right
    assert boxed[..., 1].min() >= top
    assert boxed[..., 1].max() <= bottom
    points = torch.tensor(list(FACE_CROP.landmarks.values()))
    exact = LocalWarp(num_bumps=8, jitter=0.0).draw(5).centers
    assert torch.equal(
        exact.sort(dim=1).values, points.sort(dim=0).values.expand(5, -1, -1)
    )
    own = torch.rand(5, 8, 2)
    chosen = LocalWarp(num_bumps=3, jitter=0.0).draw(5, landmarks=own).centers
    assert all((chosen[i, :, None] == own[i]).all(-1).any(-1).all() for i in range(5))


def test_bumps_move_what_lies_at_the_given_points() -> None:
    """Seen in the pixels of an image whose values are its own coordinates."""
    torch.manual_seed(0)
    size = 200
    ticks = (torch.arange(size, dtype=torch.float64) + 0.5) / size
    y, x = torch.meshgrid(ticks, ticks, indexing="ij")
    image = torch.stack([x, y])[None]
    own = 0.6 + 0.3 * points_of_the_contract()  # a small face in the lower right
    warp = LocalWarp(num_bumps=1, jitter=0.0, radius=(0.5, 0.5))
    for _ in range(20):
        drawn = warp.draw(1, landmarks=own[None], dtype=torch.float64)
        moved = (warp(image, drawn) - image)[0].norm(dim=0)
        most = moved == moved.max()
        peak = torch.stack([x[most].mean(), y[most].mean()])
        assert (own - peak).norm(dim=1).min() < 0.01
        reach = 0.5 * 0.3 * FACE_CROP.interocular
        far = ((x - peak[0]).square() + (y - peak[1]).square()).sqrt() > reach + 0.01
        assert moved[far].max() < 0.1 * moved.max()


def points_of_the_contract() -> torch.Tensor:
    return torch.tensor(list(FACE_CROP.landmarks.values()), dtype=torch.float64)


def test_lengths_are_in_units_of_the_given_face() -> None:
    own = points_of_the_contract()[None].expand(300, -1, -1)

    def draw(points: torch.Tensor) -> WarpParameters:
        generator = torch.Generator().manual_seed(4)
        return LocalWarp().draw(
            300, landmarks=points, generator=generator, dtype=torch.float64
        )

    plain, small = draw(own), draw(0.2 + 0.5 * own)
    torch.testing.assert_close(small.centers, 0.2 + 0.5 * plain.centers)
    torch.testing.assert_close(small.radii, 0.5 * plain.radii)
    torch.testing.assert_close(small.vectors, 0.5 * plain.vectors)
    generator = torch.Generator().manual_seed(4)
    without = LocalWarp().draw(300, generator=generator, dtype=torch.float64)
    torch.testing.assert_close(without.centers, plain.centers, atol=1e-6, rtol=0)


def test_a_warp_does_the_same_in_each_frame() -> None:
    first = points_of_the_contract()[None].expand(200, -1, -1)
    quarter = torch.tensor([[0.0, 1.0], [-1.0, 0.0]], dtype=torch.float64)
    shift = torch.tensor([1.0, 0.1], dtype=torch.float64)
    second = 0.8 * first @ quarter + shift  # smaller and turned by 90 degrees
    generator = torch.Generator().manual_seed(1)
    one, other = LocalWarp(num_bumps=4).draw_frames(
        [first, second], generator=generator, dtype=torch.float64
    )
    torch.testing.assert_close(other.centers, 0.8 * one.centers @ quarter + shift)
    torch.testing.assert_close(other.radii, 0.8 * one.radii)
    torch.testing.assert_close(other.vectors, 0.8 * one.vectors @ quarter)
    generator.manual_seed(1)
    (alone,) = LocalWarp(num_bumps=4).draw_frames(
        [first], generator=generator, dtype=torch.float64
    )
    torch.testing.assert_close(alone, one)


def test_a_warp_is_weakened_in_all_frames_alike() -> None:
    first = points_of_the_contract()[None].expand(300, -1, -1)
    second = first.clone()
    second[:, :, 1] = 0.4 + 0.1 * first[:, :, 1]  # features lie close together
    warp = LocalWarp(num_bumps=6, strength=(0.5, 0.5))
    frames = warp.draw_frames([first, second], dtype=torch.float64)
    lengths = []
    for one in frames:
        assert lipschitz_bound(one).max() <= 0.9 + 1e-9
        scale = one.radii / frames[0].radii
        lengths.append(one.vectors.norm(dim=-1) / scale)
    torch.testing.assert_close(*lengths)
    assert (lengths[0].amax(1) < 0.5 * FACE_CROP.interocular).any()


@pytest.mark.parametrize(
    "settings",
    [
        {"num_bumps": 0},
        {"strength": (0.3, 0.1)},
        {"strength": (-0.1, 0.1)},
        {"strength": (0.3, float("inf"))},
        {"radius": (0.0, 0.1)},
        {"radius": (0.5, float("inf"))},
        {"radius": (float("nan"), 0.5)},
        {"jitter": -0.1},
        {"around": "ears"},
    ],
)
def test_refuses_senseless_settings(settings: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=next(iter(settings))):
        LocalWarp(**settings)


def test_refuses_wrong_shapes() -> None:
    with pytest.raises(ValueError, match=r"\[C, H, W\]"):
        LocalWarp()(torch.rand(32, 32))
    with pytest.raises(ValueError, match="landmarks must have shape"):
        LocalWarp().draw(2, landmarks=torch.rand(3, 8, 2))
    with pytest.raises(ValueError, match=r"\[2, 8, 2\], in the order .* \[2, 5, 2\]"):
        LocalWarp().draw(2, landmarks=torch.rand(2, 5, 2))
