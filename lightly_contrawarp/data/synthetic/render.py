"""Rendering of drawn faces: a pure function of their parameters."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

from lightly_contrawarp.data.synthetic.canvas import Canvas, hash_unit
from lightly_contrawarp.data.synthetic.features import (
    paint_brows,
    paint_eyes,
    paint_folds,
    paint_mouth,
    paint_nose,
)
from lightly_contrawarp.data.synthetic.head import (
    head_distance,
    paint_back_hair,
    paint_beard,
    paint_front_hair,
    paint_glasses,
    paint_neck_and_ears,
    paint_skin,
    scalp_distance,
)
from lightly_contrawarp.data.synthetic.parameters import FaceParameters

HEAD_U, HEAD_V = 0.45, 0.5  # half the width and height of a head as it turns
TURN, NOD = 0.05, 0.03  # how far its middle moves


@torch.no_grad()
def render_faces(
    parameters: FaceParameters, *, size: int = 96, batch_size: int = 16
) -> Tensor:
    """Render faces that sit in the image as ``FACE_CROP`` says.

    Args:
        parameters: Parameters of N faces.
        size: Height and width of the images, at least 16.
        batch_size: Faces rendered at a time, which does not change the result. A
            small batch stays in the processor's cache.

    Returns:
        ``(N, 3, size, size)`` uint8 RGB images.

    Raises:
        ValueError: If ``size`` or ``batch_size`` is too small.
    """
    if size < 16 or batch_size < 1:
        raise ValueError(
            f"need size >= 16 and batch_size >= 1, got {size} and {batch_size}"
        )
    images = torch.empty(len(parameters), 3, size, size, dtype=torch.uint8)
    with _single_thread():
        for start in range(0, len(parameters), batch_size):
            stop = start + batch_size
            images[start:stop] = _render_batch(parameters[start:stop], size)
    return images


@contextmanager
def _single_thread() -> Iterator[None]:
    """Many small operations: on a busy machine, threads wait longer than they help."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def _render_batch(face: FaceParameters, size: int) -> Tensor:
    canvas = _posed_canvas(face, size)
    head = head_distance(canvas, face)
    scalp = scalp_distance(canvas, face)
    upper, lower = (
        canvas.window(0.0, 0.0, 1.0, 0.62),
        canvas.window(0.1, 0.44, 0.9, 1.0),
    )

    paint_back_hair(canvas, face, scalp)
    paint_neck_and_ears(canvas, face)
    paint_skin(canvas, face, head)
    paint_beard(canvas, face, head)
    paint_nose(canvas.window(0.3, 0.2, 0.7, 0.8), face)
    paint_folds(lower, face)
    paint_mouth(lower, face)
    paint_front_hair(canvas, face, scalp)
    paint_eyes(upper, face)
    paint_brows(upper, face)
    paint_glasses(upper, face)
    return _photograph(canvas, face)


def _posed_canvas(face: FaceParameters, size: int) -> Canvas:
    """A canvas with the backdrop, and the coordinates of the posed faces."""
    centres = (torch.arange(size, dtype=torch.float32) + 0.5) / size - 0.5
    x = centres.view(1, 1, size)
    y = centres.view(1, size, 1)
    mix = 0.5 + face.value("backdrop_x") * x + face.value("backdrop_y") * y
    first, second = face.colour("backdrop_1"), face.colour("backdrop_2")
    pixels = first + (second - first) * mix.clamp(0.0, 1.0)[:, None]

    x, y = x - face.value("shift_x"), y - face.value("shift_y")
    tangent, scale = face.value("rotation"), face.value("scale")
    cosine = 1.0 / (1.0 + tangent * tangent).sqrt()
    across, along = cosine / scale, tangent * cosine / scale
    head_u = x * across + y * along
    head_v = y * across - x * along
    # A turning head shifts its middle and squeezes the side it turns to.
    bulge_u, bulge_v = head_u / HEAD_U, head_v / HEAD_V
    turn = TURN * face.value("yaw") * (1.0 - bulge_u * bulge_u)
    nod = NOD * face.value("pitch") * (1.0 - bulge_v * bulge_v)
    return Canvas(
        pixels=pixels,
        head_u=head_u,
        head_v=head_v,
        u=head_u - turn,
        v=head_v - nod,
        pixel=1.0 / (size * scale),
    )


def _photograph(canvas: Canvas, face: FaceParameters) -> Tensor:
    """Light, blur and noise, then uint8."""
    shade = (
        face.value("light_x") * canvas.head_u + face.value("light_y") * canvas.head_v
    )
    light = face.value("exposure") * (1.0 + 2.0 * shade)
    pixels = canvas.pixels * light[:, None]

    blur = face.value("blur").clamp(min=0.0)[:, None]
    pixels = pixels + (_binomial(pixels) - pixels) * blur

    size = pixels.shape[-1]
    index = torch.arange(size * size).view(1, size, size)
    key = face.noise_keys[:, None, None] + index * 2
    grain = hash_unit(key & 0xFFFFFFFF) - hash_unit((key + 1) & 0xFFFFFFFF)
    pixels = pixels + (grain * face.value("noise"))[:, None]
    return pixels.clamp_(0.0, 1.0).mul_(255.0).add_(0.5).to(torch.uint8)


def _binomial(pixels: Tensor) -> Tensor:
    """Blur with (1, 2, 1) / 4 along both axes, repeating the border."""
    for axis in (2, 3):
        last = pixels.shape[axis] - 1
        before = torch.cat(
            [pixels.narrow(axis, 0, 1), pixels.narrow(axis, 0, last)], axis
        )
        after = torch.cat(
            [pixels.narrow(axis, 1, last), pixels.narrow(axis, last, 1)], axis
        )
        pixels = 0.25 * (before + after) + 0.5 * pixels
    return pixels
