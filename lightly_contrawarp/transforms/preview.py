"""Pictures of what an encoder will see: faces, warps with arrows, and views."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float, Float32
from PIL import Image, ImageDraw
from torch import Tensor
from torchvision.transforms.v2 import functional as TF

from lightly_contrawarp.transforms.bumps import WarpParameters, warp_points
from lightly_contrawarp.transforms.contrawarp_transform import ContraWarpTransform

_TILE, _GAP, _HEAD = 144, 6, 22
_ARROWS = 11  # arrows a side
_FIELD, _OWN = "#ffd800", "#00e5ff"  # colours of the field and of a face's landmarks


class PreviewFace(NamedTuple):
    """A face to show.

    Attributes:
        image: RGB image.
        landmarks: Its own landmarks, fractions of the image, or ``None``.
    """

    image: Image.Image
    landmarks: Float32[Tensor, "p 2"] | None = None


def preview_sheet(
    faces: Sequence[PreviewFace], transform: ContraWarpTransform
) -> Image.Image:
    """Lays out faces, their warps with the field's arrows, and the resulting views.

    Args:
        faces: The faces, one a row. Landmarks of their own are marked, and have an
            arrow each.
        transform: Settings of warps and views; drawn from torch's global generator.

    Returns:
        RGB image: the face, each warp of it before any other change, each view.
    """
    negatives = range(transform.num_negatives)
    titles = ["face", *(f"warp {k + 1}" for k in negatives)]
    titles += [f"view of {'face' if k == 0 else f'warp {k}'}" for k in transform.faces]
    width = len(titles) * (_TILE + _GAP) + _GAP
    height = len(faces) * (_TILE + _GAP) + _HEAD
    sheet = Image.new("RGB", (width, height), "white")
    brush = ImageDraw.Draw(sheet)
    for column, title in enumerate(titles):
        brush.text((_GAP + column * (_TILE + _GAP), 5), title, fill="#333333")
    for row, (face, landmarks) in enumerate(faces):
        square = face.resize((_TILE, _TILE), Image.Resampling.LANCZOS)
        own = None if landmarks is None else landmarks[None]
        (warps,) = transform.draw_warps(1, own)
        views = transform.views(face, warps)
        tiles = [_with_points(square, landmarks)]
        tiles += [
            _with_arrows(square, warp, transform, landmarks) for warp in warps[1:]
        ]
        tiles += [_to_image(view) for view in views]
        for column, tile in enumerate(tiles):
            place = (_GAP + column * (_TILE + _GAP), _HEAD + row * (_TILE + _GAP))
            sheet.paste(tile.resize((_TILE, _TILE)), place)
    return sheet


def _with_points(
    face: Image.Image, landmarks: Float32[Tensor, "p 2"] | None
) -> Image.Image:
    """The face with its own landmarks marked."""
    image = face.copy()
    brush = ImageDraw.Draw(image)
    for x, y in [] if landmarks is None else (landmarks * _TILE).tolist():
        brush.ellipse((x - 2, y - 2, x + 2, y + 2), fill=_OWN)
    return image


def _with_arrows(
    face: Image.Image,
    warp: WarpParameters,
    transform: ContraWarpTransform,
    landmarks: Float32[Tensor, "p 2"] | None,
) -> Image.Image:
    """The warped face, with arrows from where its points were to where they are."""
    warped: Tensor = transform.warp(TF.pil_to_tensor(face), warp)
    image: Image.Image = TF.to_pil_image(warped)
    ticks = (torch.arange(_ARROWS) + 0.5) / _ARROWS
    _paint_arrows(image, torch.cartesian_prod(ticks, ticks), warp, _FIELD)
    if landmarks is not None:
        _paint_arrows(image, landmarks, warp, _OWN)
    return image


def _paint_arrows(
    image: Image.Image, start: Float[Tensor, "p 2"], warp: WarpParameters, colour: str
) -> None:
    """Paints how a warp moves points, where it does."""
    end = warp_points(start[None], warp)[0]
    brush = ImageDraw.Draw(image)
    for tail, head in zip(start * _TILE, end * _TILE, strict=True):
        step = head - tail
        if step.norm() < 1:
            continue
        brush.line([*tail.tolist(), *head.tolist()], fill=colour, width=1)
        barb = head - step * min(1.0, 4 / float(step.norm()))
        side = torch.stack([-step[1], step[0]]) / step.norm() * 1.5
        tip = [head, barb + side, barb - side]
        brush.polygon([tuple(point.tolist()) for point in tip], fill=colour)


def _to_image(view: Float32[Tensor, "3 s s"]) -> Image.Image:
    """A view as a picture, its normalisation undone by stretching to the full range."""
    low, high = view.min(), view.max()
    image: Image.Image = TF.to_pil_image((view - low) / (high - low + 1e-6))
    return image
