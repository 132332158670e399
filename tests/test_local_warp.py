"""LocalWarp: drawing, replaying, kinds of images."""

import pytest
import torch

from lightly_contrawarp import LocalWarp
from lightly_contrawarp.crop import FACE_CROP


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
    own = torch.rand(5, 2, 2)
    chosen = LocalWarp(num_bumps=3, jitter=0.0).draw(5, landmarks=own).centers
    assert all((chosen[i, :, None] == own[i]).all(-1).any(-1).all() for i in range(5))


@pytest.mark.parametrize(
    "settings",
    [
        {"num_bumps": 0},
        {"strength": (0.3, 0.1)},
        {"strength": (-0.1, 0.1)},
        {"radius": (0.0, 0.1)},
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
        LocalWarp().draw(2, landmarks=torch.rand(3, 4, 2))
