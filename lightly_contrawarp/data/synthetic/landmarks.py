"""Where the landmarks of drawn faces are: the pose of the canvas, undone."""

from __future__ import annotations

import torch
from torch import Tensor

from contrawarp_edge.align.crop import FACE_CROP
from lightly_contrawarp.data.synthetic.features import (
    BEND,
    BROW_V,
    LIFT,
    MOUTH_V,
    NOSE_V,
    brow_centre,
    brow_lift,
    eye_centre,
    lip_edges,
    mouth_width,
)
from lightly_contrawarp.data.synthetic.parameters import FaceParameters
from lightly_contrawarp.data.synthetic.render import HEAD_U, HEAD_V, NOD, TURN


def face_landmarks(face: FaceParameters) -> Tensor:
    """The landmarks of the crop contract on each face.

    Args:
        face: Parameters of N faces.

    Returns:
        Fractions of the image, float32 ``(N, P, 2)`` in the order of ``FACE_CROP``.
    """
    found = {
        name: torch.cat(_to_image(face, u, v), dim=2)[:, 0]
        for name, (u, v) in _on_the_face(face).items()
    }
    return torch.stack([found[name] for name in FACE_CROP.landmarks], dim=1)


def _on_the_face(face: FaceParameters) -> dict[str, tuple[Tensor, Tensor]]:
    """Each landmark in the coordinates in which features are painted."""
    zero = torch.zeros_like(face.value("smile"))
    eye_u, eye_v = eye_centre(face)
    brow_u = brow_centre(face)
    brow_v = BROW_V + face.value("brow_height") - brow_lift(face, zero)
    uneven = face.value("brow_asymmetry")
    mouth_u, bend = mouth_width(face), BEND * face.value("smile")
    line = MOUTH_V + face.value("mouth_height") - LIFT * face.value("mouth_open")
    rise, drop = lip_edges(face)
    nose_v = NOSE_V + face.value("nose_length") - 0.02 * face.value("nose_wrinkle")
    # The tip stands out of the face, so it moves further when the head turns.
    nose = 0.02 * face.value("yaw"), nose_v + 0.012 * face.value("pitch")
    corner_v = line - 0.55 * bend
    return {
        "left_eye": (-eye_u, eye_v),
        "right_eye": (eye_u, eye_v),
        "left_brow": (-brow_u, brow_v + uneven),
        "right_brow": (brow_u, brow_v - uneven),
        "nose": nose,
        "left_mouth_corner": (-mouth_u, corner_v),
        "right_mouth_corner": (mouth_u, corner_v),
        "mouth": (zero, line + 0.45 * bend + (drop - rise) / 2),
    }


def _to_image(face: FaceParameters, u: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
    """From the painted face to the image: the inverse of how a canvas is posed."""
    head_u = _unbend(u, TURN * face.value("yaw"), HEAD_U)
    head_v = _unbend(v, NOD * face.value("pitch"), HEAD_V)
    tangent = face.value("rotation")
    cosine = face.value("scale") / (1.0 + tangent * tangent).sqrt()
    x = cosine * (head_u - tangent * head_v)
    y = cosine * (tangent * head_u + head_v)
    return 0.5 + x + face.value("shift_x"), 0.5 + y + face.value("shift_y")


def _unbend(value: Tensor, turn: Tensor, bulge: float) -> Tensor:
    """Solves ``h - turn (1 - (h / bulge)^2) = value``, a quadratic, for ``h``."""
    level = value + turn
    return 2 * level / (1 + (1 + 4 * turn * level / bulge**2).sqrt())
