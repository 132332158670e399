"""Pictures of what an encoder will see: faces, warps with arrows, and views."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float, Float32
from PIL import Image, ImageDraw
from torch import Tensor
from torchvision.transforms.v2 import functional as TF

from lightly_contrawarp.transforms.actions import ACTIONS
from lightly_contrawarp.transforms.contrawarp_transform import ContraWarpTransform
from lightly_contrawarp.transforms.geometry.bumps import WarpParameters, warp_points

_TILE, _GAP, _HEAD, _LINE = 144, 6, 22, 13  # pixels
_INK = "#333333"
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
        RGB image: the face, each warp of it before any other change and, below it, the
        actions of it, if the warp names any; each view.
    """
    negatives = range(transform.num_negatives)
    titles = ["face", *(f"warp {k + 1}" for k in negatives)]
    titles += [f"view of {'face' if k == 0 else f'warp {k}'}" for k in transform.faces]
    own = [face.landmarks for face in faces]
    rows = [
        transform.draw_warps(1, None if points is None else points[None])[0]
        for points in own
    ]
    captions = [[_words(warp, transform) for warp in warps[1:]] for warps in rows]
    lines = max((len(words) for row in captions for words in row), default=0)
    pitch = _TILE + _GAP + lines * _LINE
    width = len(titles) * (_TILE + _GAP) + _GAP
    sheet = Image.new("RGB", (width, len(faces) * pitch + _HEAD), "white")
    brush = ImageDraw.Draw(sheet)
    for column, title in enumerate(titles):
        brush.text((_GAP + column * (_TILE + _GAP), 5), title, fill=_INK)
    for row, ((face, landmarks), warps) in enumerate(zip(faces, rows, strict=True)):
        square = face.resize((_TILE, _TILE), Image.Resampling.LANCZOS)
        tiles = [_with_points(square, landmarks)]
        tiles += [
            _with_arrows(square, warp, transform, landmarks) for warp in warps[1:]
        ]
        tiles += [_to_image(view) for view in transform.views(face, warps)]
        top = _HEAD + row * pitch
        for column, tile in enumerate(tiles):
            place = (_GAP + column * (_TILE + _GAP), top)
            sheet.paste(tile.resize((_TILE, _TILE)), place)
        for column, words in enumerate(captions[row], 1):
            place = (_GAP + column * (_TILE + _GAP), top + _TILE + 1)
            brush.text(place, "\n".join(words), fill=_INK, spacing=0)
    return sheet


def _words(warp: WarpParameters, transform: ContraWarpTransform) -> list[str]:
    """The actions of one warp with their strengths, such as ``jaw up .31``."""
    named = zip(transform.warp.names, warp.actions[0].tolist(), strict=True)
    return [
        f"{ACTIONS[name].in_words(strength)} {abs(strength):.2f}".replace(" 0.", " .")
        for name, strength in named
        if strength
    ]


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
