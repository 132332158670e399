"""ActionWarp: what is drawn, where it sits, and what it does to a face."""

import copy
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from contrawarp_edge.align.crop import FACE_CROP
from contrawarp_edge.core.errors import InputError
from lightly_contrawarp import ActionWarp
from lightly_contrawarp.transforms.actions import ACTIONS
from lightly_contrawarp.transforms.geometry.bumps import (
    WarpParameters,
    bump_field,
    lipschitz_bound,
)
from lightly_contrawarp.transforms.geometry.landmarks import template_points

NAMES = (
    "inner_brows_up",
    "outer_brows_up",
    "brows_together",
    "lids_apart",
    "mouth_corners_up",
    "mouth_wide",
    "jaw_down",
    "upper_lip_up",
    "nose_up",
    "cheeks_up",
)
EYES = FACE_CROP.interocular
EXACT = {"jitter": 0.0, "side_jitter": 0.0}


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def drawn_alone(name: str, warp: ActionWarp) -> WarpParameters:
    """Warps of one action only."""
    parameters = warp.draw(400, generator=seeded(), dtype=torch.float64)
    return parameters.select(parameters.actions[:, NAMES.index(name)] != 0)


def moved(parameters: WarpParameters, point: tuple[float, float]) -> Tensor:
    """Where what is shown at a point comes from, reversed, in eye distances."""
    points = torch.tensor([[point]], dtype=torch.float64)
    return -bump_field(points, parameters)[:, 0] / EYES


def test_names() -> None:
    assert ActionWarp().names == NAMES == tuple(ACTIONS)
    assert ACTIONS["jaw_down"].in_words(0.2) == "jaw down"
    assert ACTIONS["lids_apart"].in_words(-0.2) == "lids together"


@pytest.mark.parametrize(
    ("name", "point", "direction"),
    [
        ("nose_up", (0.50, 0.57), (0, -1)),
        ("upper_lip_up", (0.50, 0.74), (0, -1)),
        ("outer_brows_up", (0.22, 0.30), (0, -1)),
        ("outer_brows_up", (0.78, 0.30), (0, -1)),
        ("mouth_wide", (0.36, 0.78), (-1, 0)),
        ("mouth_wide", (0.64, 0.78), (1, 0)),
        ("brows_together", (0.38, 0.28), (1, 0)),
        ("cheeks_up", (0.75, 0.60), (0, -1)),
    ],
)
def test_a_point_that_no_other_bump_reaches_moves_by_the_strength(
    name: str, point: tuple[float, float], direction: tuple[int, int]
) -> None:
    warp = ActionWarp((1, 1), strength=(0.01, 0.1), radius=(0.2, 0.4), **EXACT)
    parameters = drawn_alone(name, warp)
    strength = parameters.actions[:, NAMES.index(name), None]
    assert len(strength) > 20
    assert (strength.abs() >= 0.01).all()
    assert (strength.abs() <= 0.1).all()
    expected = strength * torch.tensor(direction, dtype=torch.float64)
    torch.testing.assert_close(moved(parameters, point), expected, atol=1e-6, rtol=0)


def test_lids_move_apart_and_half_of_it_by_the_closed_form() -> None:
    warp = ActionWarp((1, 1), strength=(0.05, 0.05), radius=(0.5, 0.5), **EXACT)
    parameters = drawn_alone("lids_apart", warp)
    strength = parameters.actions[:, NAMES.index("lids_apart")]
    apart = (0.42 - 0.35) / EYES
    overlap = (1 - (apart / (0.6 * 0.5)) ** 2) ** 2  # of the other lid's bump
    for x in (0.31, 0.69):
        above, below = moved(parameters, (x, 0.35)), moved(parameters, (x, 0.42))
        torch.testing.assert_close(above[:, 1], -strength * (1 - overlap))
        torch.testing.assert_close(below[:, 1], strength * (1 - overlap))
        assert moved(parameters, (x, 0.385)).abs().max() < 1e-7


def test_without_jitter_both_sides_of_a_face_do_the_same() -> None:
    """Seen in pixels: the mirror image, warped, is the warped one's mirror image."""
    warp = ActionWarp((3, 3), **EXACT)
    parameters = warp.draw(20, generator=seeded(), dtype=torch.float64)
    images = torch.rand(20, 1, 40, 40, dtype=torch.float64)
    expected = warp(images, parameters).flip(-1)
    mirrored = warp(images.flip(-1), parameters)
    torch.testing.assert_close(mirrored, expected, atol=1e-5, rtol=0)
    uneven = ActionWarp((3, 3), jitter=0).draw(20, dtype=torch.float64)
    difference = warp(images.flip(-1), uneven) - warp(images, uneven).flip(-1)
    assert difference.abs().mean() > 0.001


def test_sides_differ_by_the_jitter_of_sides() -> None:
    warp = ActionWarp((1, 1), (0.1, 0.1), radius=(0.3, 0.3), jitter=0)
    parameters = drawn_alone("cheeks_up", warp)
    ratios = parameters.vectors[:, :2, 1].abs() / 0.1 / EYES
    assert 0.85 <= ratios.min() < 0.9
    assert 1.1 < ratios.max() <= 1.15
    assert (ratios[:, 0] - ratios[:, 1]).abs().max() > 0.1


def test_centres_stay_close_to_their_points() -> None:
    parameters = drawn_alone("nose_up", ActionWarp((1, 1)))
    offsets = (parameters.centers[:, 0] - torch.tensor([0.5, 0.57])) / EYES
    assert offsets.abs().max() <= 0.05 + 1e-6
    assert offsets.amax() > 0.03
    assert offsets.amin() < -0.03


@pytest.mark.parametrize("settings", [{}, {"strength": (0.5, 2.0)}])
@pytest.mark.parametrize("num_actions", [(1, 1), (2, 3), (10, 10)])
def test_no_draw_folds(
    settings: dict[str, tuple[float, float]], num_actions: tuple[int, int]
) -> None:
    parameters = ActionWarp(num_actions, **settings).draw(
        100, generator=seeded(), dtype=torch.float64
    )
    assert lipschitz_bound(parameters).max() <= 0.9 + 1e-9
    ticks = torch.linspace(0, 1, 60, dtype=torch.float64)
    points = torch.cartesian_prod(ticks, ticks)[None]
    step = 1e-6 * torch.eye(2, dtype=torch.float64)[:, None]
    x, y = (
        (bump_field(points + one, parameters) - bump_field(points - one, parameters))
        / 2e-6
        for one in step
    )
    determinants = (1 + x[..., 0]) * (1 + y[..., 1]) - x[..., 1] * y[..., 0]
    assert determinants.min() > 0


def test_numbers_and_signs_of_actions() -> None:
    actions = ActionWarp((2, 4)).draw(6000, generator=seeded()).actions
    counts = (actions != 0).sum(1).bincount()
    assert counts[:2].sum() == 0
    assert len(counts) == 5
    assert (counts[2:] / 6000 - 1 / 3).abs().max() < 0.03
    share = (actions != 0).float().mean(0)
    assert (share - 0.3).abs().max() < 0.03
    positive = (actions > 0).float().mean(0) / share
    assert (positive - 0.5).abs().max() < 0.05
    alone = ActionWarp((1, 1), strength=(0.05, 0.1)).draw(6000, generator=seeded())
    strengths = alone.actions.abs().sum(1)
    assert 0.05 <= strengths.min() < 0.0505
    assert 0.0995 < strengths.max() <= 0.1


def test_what_is_not_to_fold_has_weaker_actions_too() -> None:
    """Twice the strength, and the same warp: both are told as they are applied."""
    weak, strong = (
        ActionWarp((3, 3), (s, s)).draw(50, generator=seeded(), dtype=torch.float64)
        for s in (1.0, 2.0)
    )
    for one, other in zip(weak, strong, strict=True):
        torch.testing.assert_close(one, other)
    assert weak.actions.abs().max() < 1
    warp = ActionWarp((3, 3), (0.01, 0.02), side_jitter=0)
    free = warp.draw(50, generator=seeded())
    by_bump = free.vectors.norm(dim=-1) / EYES
    assert torch.equal((by_bump > 0).any(1), torch.ones(50, dtype=torch.bool))
    strongest = free.actions.abs().amax(1)
    torch.testing.assert_close(by_bump.amax(1), strongest)
    assert not free.stilled().actions.any()


def test_landmarks_of_a_face_move_its_warps() -> None:
    """A face that is scaled, turned and shifted gets its warp so."""
    warp = ActionWarp(strength=(0.01, 0.03))  # nothing has to be weakened
    torch.manual_seed(0)
    own = template_points().double() + 0.02 * torch.randn(1, 8, 2).double()
    own = own.expand(100, -1, -1)
    turn = torch.tensor([[0.8, 0.6], [-0.6, 0.8]], dtype=torch.float64)
    shift = torch.tensor([0.4, -0.1], dtype=torch.float64)
    other = 0.7 * own @ turn + shift
    one, two = (
        warp.draw(100, landmarks=points, generator=seeded(), dtype=own.dtype)
        for points in (own, other)
    )
    torch.testing.assert_close(two.centers, 0.7 * one.centers @ turn + shift)
    torch.testing.assert_close(two.radii, 0.7 * one.radii)
    torch.testing.assert_close(two.vectors, 0.7 * one.vectors @ turn)
    torch.testing.assert_close(two.actions, one.actions)
    frames = warp.draw_frames([own, other], generator=seeded(), dtype=own.dtype)
    for drawn, expected in zip(frames, (one, two), strict=True):
        for ours, theirs in zip(drawn, expected, strict=True):
            torch.testing.assert_close(ours, theirs)


def test_frames_of_a_face_are_weakened_alike() -> None:
    own = template_points().double().expand(100, -1, -1)
    flat = own * torch.tensor([1.0, 0.3]) + torch.tensor([0.0, 0.3])
    frames = ActionWarp().draw_frames([own, flat], generator=seeded(), dtype=own.dtype)
    assert torch.equal(frames[0].actions, frames[1].actions)
    assert all(lipschitz_bound(frame).max() <= 0.9 + 1e-9 for frame in frames)
    lengths = [one.vectors.norm(dim=-1) / one.radii for one in frames]
    torch.testing.assert_close(*lengths)


def test_a_bump_goes_with_the_nearest_landmark() -> None:
    """A mouth that lies lower takes the jaw along, and leaves the brows."""
    points = template_points().double()[None]
    low = points.clone()
    low[:, 5:, 1] += 0.05
    names = list(FACE_CROP.landmarks)
    assert names[5:] == ["left_mouth_corner", "right_mouth_corner", "mouth"]
    for name, drop in (("jaw_down", 0.05), ("outer_brows_up", 0.0)):
        places = []
        for face in (points, low):
            parameters = ActionWarp((1, 1), **EXACT).draw(
                300, landmarks=face.expand(300, -1, -1), generator=seeded(),
                dtype=torch.float64,
            )  # fmt: skip
            some = parameters.actions[:, NAMES.index(name)] != 0
            places.append(parameters.centers[some, 0].mean(0))
        assert float((places[1] - places[0])[1]) == pytest.approx(drop, abs=0.01)


def test_another_contract_has_its_own_places() -> None:
    smaller = replace(
        FACE_CROP,
        landmarks={
            name: (0.2 + x / 2, 0.1 + y / 2)
            for name, (x, y) in reversed(FACE_CROP.landmarks.items())
        },
    )
    warps = [ActionWarp(crop=crop) for crop in (FACE_CROP, smaller)]
    one, two = (w.draw(50, generator=seeded(), dtype=torch.float64) for w in warps)
    shift = torch.tensor([0.2, 0.1], dtype=torch.float64)
    torch.testing.assert_close(two.centers, one.centers / 2 + shift, atol=1e-6, rtol=0)
    torch.testing.assert_close(two.vectors, one.vectors / 2, atol=1e-6, rtol=0)


def test_replay_and_seeds() -> None:
    images, warp = torch.rand(4, 3, 32, 32), ActionWarp()
    first, again, other = (warp.draw(4, generator=seeded(s)) for s in (1, 1, 2))
    assert torch.equal(warp(images, first), warp(images, again))
    assert not torch.equal(warp(images, first), warp(images, other))
    assert torch.equal(
        copy.deepcopy(warp).draw(4, generator=seeded(1)).vectors, first.vectors
    )


def test_strength_is_that_of_the_bumps_that_move() -> None:
    warp = ActionWarp((1, 2), (0.05, 0.05), side_jitter=0)
    parameters = warp.draw(100, generator=seeded())
    expected = parameters.actions.abs().amax(1)
    torch.testing.assert_close(warp.strength_of(parameters), expected)
    assert not warp.strength_of(parameters.stilled()).any()


@pytest.mark.parametrize(
    "settings",
    [
        {"num_actions": (0, 2)},
        {"num_actions": (3, 2)},
        {"num_actions": (2, 11)},
        {"strength": (0.3, 0.1)},
        {"strength": (-0.1, 0.1)},
        {"radius": (0.0, 0.1)},
        {"jitter": -0.1},
        {"side_jitter": 1.1},
        {"side_jitter": float("nan")},
    ],
)
def test_refuses_senseless_settings(settings: dict[str, object]) -> None:
    name = next(iter(settings))
    with pytest.raises(InputError, match=f"^{name} must"):
        ActionWarp(**settings)
    with pytest.raises(ValueError, match=r"landmarks must have shape \[2, 8, 2\]"):
        ActionWarp().draw(2, landmarks=torch.rand(2, 5, 2))
