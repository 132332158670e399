"""Landmarks of one face, in the order of a crop contract's, from what data sets have.

A warp's bumps sit around the contract's eight points: brows, eyes, nose, corners and
middle of the mouth. Detectors give five of them. All
coordinates are fractions of the image, as in
:mod:`lightly_contrawarp.transforms.geometry.bumps`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from jaxtyping import Float, Float32
from torch import Tensor

from contrawarp_edge.align.crop import FACE_CROP, FIVE_POINTS, CropContract


def template_points(crop: CropContract = FACE_CROP) -> Float32[Tensor, "p 2"]:
    """The contract's landmarks, in the contract's order."""
    return torch.tensor(list(crop.landmarks.values()))


def landmarks_of(
    paths: Sequence[Path],
    known: Mapping[Path, Float[Tensor, "p 2"]],
    crop: CropContract = FACE_CROP,
) -> Float32[Tensor, "n p 2"]:
    """Puts landmarks in the order of images, the contract's where none are known.

    Args:
        paths: The images.
        known: Landmarks of some images, in the contract's order.
        crop: The contract.
    """
    template = template_points(crop)
    found = [known.get(path, template) for path in paths]
    return torch.stack(found) if found else template.repeat(0, 1, 1)


def similarity(
    template: Float[Tensor, "p 2"], points: Float[Tensor, "b p 2"]
) -> Float[Tensor, "b 2"]:
    """Scale and rotation that carry a template to faces, by least squares.

    Args:
        template: The points of the template.
        points: The same points of each face.

    Returns:
        ``(scale cos, scale sin)`` of each face: what :func:`turn` takes.

    Examples:
        >>> square = torch.tensor([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]])
        >>> similarity(square, 3 + 2 * square[None]).tolist()
        [[2.0, 0.0]]
    """
    template = template - template.mean(0)
    cos = (template * points).sum((-1, -2))
    sin = (template[:, 0] * points[..., 1] - template[:, 1] * points[..., 0]).sum(-1)
    return torch.stack([cos, sin], dim=-1) / template.square().sum()


def turn(
    vectors: Float[Tensor, "b k 2"], factor: Float[Tensor, "b 2"]
) -> Float[Tensor, "b k 2"]:
    """Scales and rotates vectors by a factor for each row; see :func:`similarity`."""
    cos, sin = factor[:, None, 0], factor[:, None, 1]
    x, y = vectors.unbind(-1)
    return torch.stack([cos * x - sin * y, sin * x + cos * y], dim=-1)


def from_five_points(
    points: Float[Tensor, "b 5 2"], crop: CropContract = FACE_CROP
) -> Float[Tensor, "b p 2"]:
    """Landmarks of faces of which five points are known.

    A brow sits above its eye as in the contract, at the size and angle of the face.
    The middle of the mouth is halfway between its corners.

    Args:
        points: `FIVE_POINTS` of each face in a square image.
        crop: The contract that names the landmarks.

    Returns:
        Landmarks in the contract's order.
    """
    template = crop.landmarks
    factor = similarity(points.new_tensor([template[n] for n in FIVE_POINTS]), points)
    found = dict(zip(FIVE_POINTS, points.unbind(1), strict=True))
    for side in ("left", "right"):
        (x, y), (eye_x, eye_y) = template[f"{side}_brow"], template[f"{side}_eye"]
        rise = points.new_tensor([[[x - eye_x, y - eye_y]]]).expand(len(points), -1, -1)
        found[f"{side}_brow"] = found[f"{side}_eye"] + turn(rise, factor)[:, 0]
    found["mouth"] = (found["left_mouth_corner"] + found["right_mouth_corner"]) / 2
    return torch.stack([found[name] for name in template], dim=1)
