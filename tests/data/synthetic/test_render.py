"""What drawn faces look like, and that each action shows where it belongs."""

import dataclasses

import pytest
import torch
from torch import Tensor

from contrawarp_edge.align.crop import FACE_CROP
from lightly_contrawarp.data.synthetic import (
    ACTION_RANGES,
    ACTIONS,
    PROTOTYPES,
    FaceParameters,
    draw_parameters,
    render_faces,
)
from lightly_contrawarp.data.synthetic.traits import NUISANCES, TRAITS

SIZE = 64


@pytest.fixture(scope="module")
def people() -> FaceParameters:
    """Twelve people at rest, looking straight into an even light, without glasses."""
    faces = draw_parameters(12, num_identities=12, seed=4)
    nuisances = torch.zeros_like(faces.nuisances)
    for name in ("scale", "exposure"):
        nuisances[:, NUISANCES.index(name)] = 1.0
    traits = faces.traits.clone()
    traits[:, TRAITS.index("glasses")] = 0.0
    return dataclasses.replace(
        faces,
        nuisances=nuisances,
        traits=traits,
        actions=torch.zeros_like(faces.actions),
    )


def render_with(people: FaceParameters, **actions: float) -> Tensor:
    """Gray images ``(N, SIZE, SIZE)`` in [0, 1] with some actions changed."""
    values = people.actions.clone()
    for name, value in actions.items():
        values[:, ACTIONS.index(name)] = value
    images = render_faces(dataclasses.replace(people, actions=values), size=SIZE)
    return images.float().mean(1) / 255.0


def centre_of(weights: Tensor) -> tuple[float, float]:
    """Mean x and y, as fractions of the image, of the weight of all images."""
    at = (torch.arange(SIZE) + 0.5) / SIZE
    total = weights.sum((0, 1, 2))
    x = (weights.sum((0, 1)) * at).sum() / total
    y = (weights.sum((0, 2)) * at).sum() / total
    return float(x), float(y)


@pytest.mark.parametrize("size", [33, 96])
def test_face_does_not_depend_on_the_batch(size: int) -> None:
    faces = draw_parameters(24, num_identities=9, seed=1)
    expected = render_faces(faces, size=size, batch_size=24)
    for batch_size in (1, 5, 16):
        actual = render_faces(faces, size=size, batch_size=batch_size)
        assert torch.equal(actual, expected)


def test_face_does_not_depend_on_the_faces_after_it() -> None:
    many = draw_parameters(50, num_identities=12, seed=2)
    few = draw_parameters(17, num_identities=12, seed=2)
    for field in dataclasses.fields(FaceParameters):
        assert torch.equal(getattr(few, field.name), getattr(many[:17], field.name))
    chosen = torch.tensor([3, 11])
    assert torch.equal(
        render_faces(few, size=32)[chosen], render_faces(many[chosen], size=32)
    )


def test_renders_no_faces_and_rejects_tiny_images() -> None:
    none = draw_parameters(0, num_identities=3, seed=0)
    assert render_faces(none, size=32).shape == (0, 3, 32, 32)
    with pytest.raises(ValueError, match="size >= 16"):
        render_faces(none, size=8)


def test_smile_changes_the_lower_half(people: FaceParameters) -> None:
    change = (render_with(people, smile=1) - render_with(people, smile=-1)).abs()
    lower = change[:, SIZE // 2 :].sum() / change.sum()
    assert lower > 0.75
    assert centre_of(change)[0] == pytest.approx(0.5, abs=0.02)


@pytest.mark.parametrize(
    ("action", "low", "high", "axis"),
    [("brow_raise", -1, 1, "up"), ("brow_tilt", 1, -1, "inner up")],
)
def test_brows_move(
    people: FaceParameters, action: str, low: float, high: float, axis: str
) -> None:
    """What gets darker lies above what gets lighter where the brows go up."""
    change = render_with(people, **{action: high}) - render_with(
        people, **{action: low}
    )
    change[:, int(0.34 * SIZE) :] = 0.0  # the eyes and below
    if axis == "inner up":
        change[..., : int(0.27 * SIZE)] = 0.0
        change[..., int(0.73 * SIZE) :] = 0.0
    _, darker = centre_of((-change).clamp(min=0))
    _, lighter = centre_of(change.clamp(min=0))
    assert lighter - darker > 0.03


def test_open_mouth_is_dark(people: FaceParameters) -> None:
    left, right = (
        FACE_CROP.landmarks["left_mouth_corner"],
        FACE_CROP.landmarks["right_mouth_corner"],
    )
    columns = slice(int(left[0] * SIZE), int(right[0] * SIZE))
    rows = slice(int(0.7 * SIZE), int(0.92 * SIZE))
    dark = [
        (render_with(people, mouth_open=value)[:, rows, columns] < 0.15).float().mean()
        for value in (0.0, 0.5, 1.0)
    ]
    assert dark[0] + 0.02 < dark[1] < dark[2] - 0.05


def test_features_sit_where_the_crop_contract_says(people: FaceParameters) -> None:
    eyes = (render_with(people, eye_open=1) - render_with(people, eye_open=-1)).abs()
    for half, name in (
        (slice(0, SIZE // 2), "left_eye"),
        (slice(SIZE // 2, SIZE), "right_eye"),
    ):
        only = torch.zeros_like(eyes)
        only[..., half] = eyes[..., half]
        assert centre_of(only) == pytest.approx(FACE_CROP.landmarks[name], abs=0.03)
    mouth = (
        render_with(people, mouth_wide=1) - render_with(people, mouth_wide=-1)
    ).abs()
    assert centre_of(mouth) == pytest.approx(FACE_CROP.landmarks["mouth"], abs=0.03)


def test_every_action_is_visible(people: FaceParameters) -> None:
    for action, (low, high) in ACTION_RANGES.items():
        most = render_with(people, **{action: high})
        change = (most - render_with(people, **{action: low})).abs()
        assert (change > 0.06).float().mean((1, 2)).min() > 0.003, action


def test_brightness_does_not_tell_the_emotion(people: FaceParameters) -> None:
    means = torch.stack(
        [
            render_with(people, **dict(zip(ACTIONS, values, strict=True))).mean()
            for values in PROTOTYPES.values()
        ]
    )
    assert means.max() - means.min() < 0.01
