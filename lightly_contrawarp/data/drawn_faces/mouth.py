"""The mouth: lips, and teeth and tongue when it is open."""

from __future__ import annotations

import torch
from torch import Tensor

from lightly_contrawarp.crop import FACE_CROP
from lightly_contrawarp.data.drawn_faces.canvas import (
    Canvas,
    ellipse,
    glow,
    intersect,
)
from lightly_contrawarp.data.drawn_faces.parameters import FaceParameters

MOUTH_V = FACE_CROP.landmarks["mouth"][1] - 0.5
BEND, LIFT = 0.085, 0.012  # of the line between the lips: by a smile, by opening


def mouth_width(face: FaceParameters) -> Tensor:
    """Distance of each corner from the middle of the face, ``(n, 1, 1)``."""
    smile, opened = face.value("smile"), face.value("mouth_open")
    return face.value("mouth_width") * (
        1.0
        + 0.36 * face.value("mouth_wide")
        + 0.14 * smile.clamp(min=0.0)
        - 0.12 * opened
    )


def lip_edges(face: FaceParameters) -> tuple[Tensor, Tensor]:
    """How far the lips part above and below the line between them, ``(n, 1, 1)``."""
    opened = face.value("mouth_open")
    return 0.036 * opened + 0.034 * face.value("nose_wrinkle"), 0.100 * opened


def paint_mouth(canvas: Canvas, face: FaceParameters) -> None:
    """Lips along a curve that bends with the smile and parts when the mouth opens."""
    skin, lip = face.colour("skin"), face.colour("lip")
    smile, opened = face.value("smile"), face.value("mouth_open")
    wrinkle = face.value("nose_wrinkle")
    width = mouth_width(face)
    x = canvas.u / width
    ax = x.abs().clamp(max=1.25)
    x2 = ax * ax
    arch = (1.0 - x2).clamp(min=0.0)
    full = arch * (1.0 + x2)  # 1 - x ** 4: rounder than the arch

    bend = BEND * smile
    y = canvas.v - MOUTH_V - face.value("mouth_height") - bend * (0.45 - x2)
    y = y + LIFT * opened
    rise, drop = lip_edges(face)
    top, bottom = -rise * full, drop * full
    steep = -2.0 * bend * ax / width
    corner = 4.0 * ax * x2 / width
    flat_top = (1.0 + (steep + rise * corner) ** 2).sqrt_()
    flat_bottom = (1.0 + (steep - drop * corner) ** 2).sqrt_()
    ends = (ax - 1.0) * width

    bow = (1.0 - ax).clamp(min=0.0) * (0.8 + 2.0 * ax)
    upper = face.value("lip_upper") * (1.0 + 0.3 * wrinkle) + 0.004
    lower = face.value("lip_lower") * (1.0 - 0.25 * opened)
    shadow = glow(canvas.u, y - drop - lower - 0.02, 0.6 * width, 0.026)
    canvas.blend(skin * 0.7, shadow * 0.7)
    outer_top = (top - upper * bow - y) / flat_top
    outer_bottom = (y - bottom - lower * arch) / flat_bottom
    canvas.fill(intersect(outer_top, -y - 0.2, ends, y - bottom), lip * 0.86)
    canvas.fill(intersect(outer_bottom, top - y, ends), lip)
    shine = glow(canvas.u, y - drop - 0.45 * lower, 0.45 * width, 0.5 * lower)
    canvas.blend(lip + 0.35 * (1.0 - lip), shine * 0.5)

    inside = intersect((top - y) / flat_top, (y - bottom) / flat_bottom, ends)
    dark = torch.tensor([0.20, 0.05, 0.06]).view(1, 3, 1, 1)
    pink = torch.tensor([0.80, 0.36, 0.38]).view(1, 3, 1, 1)
    ivory = torch.tensor([0.95, 0.94, 0.90]).view(1, 3, 1, 1)
    canvas.fill(inside, dark)
    tongue = ellipse(canvas.u, y - drop - 0.02, 0.62 * width, 0.038)
    canvas.fill(intersect(tongue, inside + 0.004), pink)
    teeth = intersect(y - top - 0.029, inside + 0.004, (ax - 0.86) * width)
    canvas.fill(teeth, ivory)

    parting = (y - 0.5 * (top + bottom)).abs() / flat_top
    line = intersect(parting - 0.0045 - 0.003 * arch, ends - 0.01)
    closed = (1.0 - (bottom - top) / 0.02).clamp(min=0.0)
    canvas.blend(lip * 0.35, canvas.coverage(line) * closed)
