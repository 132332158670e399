"""Pictures of what an encoder will see: faces, warps with arrows, and views."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from PIL import Image, ImageDraw
from torch import Tensor
from torchvision.transforms.v2 import functional as TF

from lightly_contrawarp.data.drawn_faces import draw_parameters, render_faces
from lightly_contrawarp.data.folders import FaceFolder, scan_images
from lightly_contrawarp.transform import ContraWarpTransform
from lightly_contrawarp.warp import WarpParameters, warp_points

_TILE, _GAP, _HEAD = 144, 6, 22
_ARROWS = 11  # arrows a side


def sample_faces(folder: Path | None, count: int, seed: int = 0) -> list[Image.Image]:
    """Reads faces spread over a folder, or draws some.

    Args:
        folder: Images to choose from, or ``None`` for drawn faces.
        count: Number of faces; fewer if the folder has fewer.
        seed: Seed of the drawn faces.

    Returns:
        RGB images.

    Raises:
        InputError: If the folder has no readable image.
    """
    if folder is None:
        drawn = draw_parameters(count, num_identities=count, seed=seed)
        return [TF.to_pil_image(face) for face in render_faces(drawn, size=_TILE)]
    paths = scan_images(folder).paths
    # What cannot be decoded is replaced, as in training.
    images = FaceFolder(paths, on_failure=lambda file: None)
    step = max(1, len(paths) // count)
    return [images[index][0] for index in range(0, len(paths), step)[:count]]


def preview_sheet(
    faces: Sequence[Image.Image], transform: ContraWarpTransform
) -> Image.Image:
    """Lays out faces, their warps with the field's arrows, and the resulting views.

    Args:
        faces: RGB images, one a row.
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
    draw = ImageDraw.Draw(sheet)
    for column, title in enumerate(titles):
        draw.text((_GAP + column * (_TILE + _GAP), 5), title, fill="#333333")
    for row, face in enumerate(faces):
        square = face.resize((_TILE, _TILE), Image.Resampling.LANCZOS)
        warps = [transform.warp.draw(1) for _ in negatives]
        views = transform.views(face, [transform.warp.draw(1).stilled(), *warps])
        tiles = [square, *(_with_arrows(square, warp, transform) for warp in warps)]
        tiles += [_to_image(view) for view in views]
        for column, tile in enumerate(tiles):
            place = (_GAP + column * (_TILE + _GAP), _HEAD + row * (_TILE + _GAP))
            sheet.paste(tile.resize((_TILE, _TILE)), place)
    return sheet


def _with_arrows(
    face: Image.Image, warp: WarpParameters, transform: ContraWarpTransform
) -> Image.Image:
    """The warped face, with arrows from where its points were to where they are."""
    warped: Tensor = transform.warp(TF.pil_to_tensor(face), warp)
    image: Image.Image = TF.to_pil_image(warped)
    ticks = (torch.arange(_ARROWS) + 0.5) / _ARROWS
    start = torch.cartesian_prod(ticks, ticks)[None]
    end = warp_points(start, warp)
    draw = ImageDraw.Draw(image)
    for tail, head in zip(start[0] * _TILE, end[0] * _TILE, strict=True):
        step = head - tail
        if step.norm() < 1:
            continue
        draw.line([*tail.tolist(), *head.tolist()], fill="#ffd800", width=1)
        barb = head - step * min(1.0, 4 / float(step.norm()))
        side = torch.stack([-step[1], step[0]]) / step.norm() * 1.5
        tip = [head, barb + side, barb - side]
        draw.polygon([tuple(point.tolist()) for point in tip], fill="#ffd800")
    return image


def _to_image(view: Tensor) -> Image.Image:
    """A view as a picture, its normalisation undone by stretching to the full range."""
    low, high = view.min(), view.max()
    image: Image.Image = TF.to_pil_image((view - low) / (high - low + 1e-6))
    return image
