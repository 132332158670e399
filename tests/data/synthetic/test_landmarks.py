"""Where the landmarks of drawn faces are."""

import dataclasses

import pytest
import torch

from contrawarp_edge.align.crop import FACE_CROP
from lightly_contrawarp.data.synthetic import (
    ACTIONS,
    FaceParameters,
    draw_parameters,
    face_landmarks,
    render_faces,
)
from lightly_contrawarp.data.synthetic.traits import NUISANCES, TRAITS

SIZE = 128
NAMES = list(FACE_CROP.landmarks)


def with_value(faces: FaceParameters, name: str, value: float) -> FaceParameters:
    for field, names in (
        ("actions", ACTIONS),
        ("traits", TRAITS),
        ("nuisances", NUISANCES),
    ):
        if name in names:
            table = getattr(faces, field).clone()
            table[:, names.index(name)] = value
            return dataclasses.replace(faces, **{field: table})
    raise KeyError(name)


@pytest.mark.parametrize(
    ("landmark", "trait", "low", "high", "atol"),
    [
        ("left_eye", "iris_size", 0.5, 0.7, (0.012, 0.012)),
        ("right_eye", "iris_size", 0.5, 0.7, (0.012, 0.012)),
        ("left_brow", "brow_thickness", 0.005, 0.02, (0.04, 0.03)),
        ("right_brow", "brow_thickness", 0.005, 0.02, (0.04, 0.03)),
        ("nose", "nose_width", 0.04, 0.07, (0.03, 0.05)),
        ("mouth", "lip_upper", 0.0, 0.02, (0.02, 0.03)),
    ],
)
def test_landmarks_lie_where_the_feature_is_drawn(
    landmark: str, trait: str, low: float, high: float, atol: tuple[float, float]
) -> None:
    """What changes with the feature's size has its middle there, in any pose."""
    faces = draw_parameters(40, num_identities=40, seed=12)
    for name in ("glasses", "hair_volume", "beard"):
        faces = with_value(faces, name, 0.0)
    for name, value in (("hairline", -0.6), ("hair_end", -0.5), ("eye_open", 0.5)):
        faces = with_value(faces, name, value)
    for name in ("gaze_x", "gaze_y", "smile", "mouth_open", "nose_wrinkle"):
        faces = with_value(faces, name, 0.0)
    small, large = (
        render_faces(with_value(faces, trait, value), size=SIZE).float().mean(1)
        for value in (low, high)
    )
    change = (large - small).abs()
    at = (torch.arange(SIZE) + 0.5) / SIZE
    side = landmark.partition("_")[0]
    middle = face_landmarks(faces)[:, NAMES.index("nose"), 0, None, None]
    if side == "left":
        change = change * (at < middle)
    if side == "right":
        change = change * (at > middle)
    total = change.sum((1, 2))
    x = (change.sum(1) * at).sum(1) / total
    y = (change.sum(2) * at).sum(1) / total
    points = face_landmarks(faces)[:, NAMES.index(landmark)]
    assert float((x - points[:, 0]).abs().max()) < atol[0]
    assert float((y - points[:, 1]).abs().max()) < atol[1]


def test_corners_are_the_ends_of_the_mouth() -> None:
    faces = with_value(draw_parameters(20, num_identities=20, seed=3), "beard", 0.0)
    wide = with_value(faces, "mouth_wide", 1.0)
    narrow = with_value(faces, "mouth_wide", 0.0)
    change = (
        render_faces(wide, size=SIZE).float() - render_faces(narrow, size=SIZE).float()
    )
    shown = change.abs().amax(1) > 12
    at = (torch.arange(SIZE) + 0.5) / SIZE
    for shows, points in zip(shown, face_landmarks(wide), strict=True):
        columns = at[shows.any(0)]
        corners = points[[NAMES.index(f"{s}_mouth_corner") for s in ("left", "right")]]
        # The lips taper off towards the corners.
        assert float(columns.min()) == pytest.approx(float(corners[0, 0]), abs=0.03)
        assert float(columns.max()) == pytest.approx(float(corners[1, 0]), abs=0.03)


def test_a_face_at_rest_has_the_landmarks_of_the_contract() -> None:
    faces = draw_parameters(300, num_identities=300, seed=5)
    faces = dataclasses.replace(faces, actions=torch.zeros_like(faces.actions))
    mean = face_landmarks(faces).mean(0)
    expected = torch.tensor(list(FACE_CROP.landmarks.values()))
    torch.testing.assert_close(mean, expected, atol=0.012, rtol=0)
