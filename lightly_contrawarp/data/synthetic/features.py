"""The features that move with the expression: eyes, brows, nose and folds."""

from __future__ import annotations

import torch
from torch import Tensor

from contrawarp_edge.align.crop import FACE_CROP
from lightly_contrawarp.data.synthetic.canvas import (
    Canvas,
    ellipse,
    glow,
    intersect,
    soft_step,
)
from lightly_contrawarp.data.synthetic.parameters import FaceParameters

EYE_U, EYE_V = (FACE_CROP.landmarks["right_eye"][axis] - 0.5 for axis in (0, 1))
BROW_U, BROW_V = (FACE_CROP.landmarks["right_brow"][axis] - 0.5 for axis in (0, 1))
NOSE_V = FACE_CROP.landmarks["nose"][1] - 0.5


def eye_centre(face: FaceParameters) -> tuple[Tensor, Tensor]:
    """Middle of the right eye, each coordinate ``(n, 1, 1)``."""
    return EYE_U + face.value("eye_spacing"), EYE_V + face.value("eye_height")


def paint_eyes(canvas: Canvas, face: FaceParameters) -> None:
    """Both eyes: white, iris, pupil, lids."""
    skin = face.colour("skin")
    eye_x, eye_y = eye_centre(face)
    size = face.value("eye_size")
    width = 0.092 * size
    offset = canvas.u.abs() - eye_x
    x = (offset / width).clamp(-1.3, 1.3)  # -1 at the nose, 1 at the temple
    opening = face.value("eye_open")
    cheek = face.value("smile").clamp(min=0.0)
    wrinkle = face.value("nose_wrinkle")
    anger = face.value("brow_tilt").clamp(min=0.0)
    grief = face.value("inner_raise")

    slope = 0.06 * face.value("eye_slant") + 0.012 * anger - 0.014 * grief
    y = canvas.v - eye_y + slope * x
    height = 0.053 * size * face.value("eye_roundness")
    wide, squint = opening.clamp(min=0.0), (-opening).clamp(min=0.0)
    upper = height * (1.0 + 0.5 * wide - 0.62 * squint)
    lower = 0.55 * height * (1.0 + 0.35 * wide - 0.5 * squint)
    lower = lower * (1.0 - 0.75 * cheek) * (1.0 - 0.3 * wrinkle)
    bow = 1.0 - x * x
    # A lowered inner brow pushes the lid down at the nose.
    top = -upper * bow + (0.55 * anger * height) * (0.5 - 0.5 * x) * bow
    bottom = torch.maximum(lower * bow, top + 0.006 * bow)
    steep = 2.0 * upper * x / width
    flat = (1.0 + steep * steep).sqrt_()
    above, below = (top - y) / flat, (y - bottom) / flat
    opened = intersect(above, below, (x.abs() - 1.0) * width)

    canvas.blend(skin * 0.72, 0.6 * glow(offset, y + 0.03, 1.5 * width, 0.085))
    white = canvas.coverage(opened)
    shade = soft_step((y - top) / 0.03)[:, None]
    canvas.blend(0.62 + 0.34 * shade, white)

    gaze = torch.where(canvas.u < 0, -1.0, 1.0) * face.value("gaze_x")
    look_x = offset - 0.016 * gaze
    look_y = y + 0.006 - 0.006 * face.value("gaze_y")
    centre = (look_x * look_x + look_y * look_y).sqrt_()
    iris = 0.047 * size * face.value("iris_size")
    canvas.fill(intersect(centre - iris, opened), face.colour("iris") * 0.55)
    canvas.fill(intersect(centre - 0.78 * iris, opened), face.colour("iris"))
    dark = torch.zeros(1, 3, 1, 1)
    canvas.fill(intersect(centre - 0.48 * iris, opened), dark + 0.04)
    spark_x = (
        canvas.u.abs() - eye_x - 0.016 * gaze + torch.where(canvas.u < 0, -0.014, 0.014)
    )
    spark = ellipse(spark_x, look_y + 0.013, 0.011, 0.011)
    canvas.fill(intersect(spark, opened), dark + 0.95)

    ends = (x.abs() - 1.0) * width
    taper = 0.55 + 0.45 * x.clamp(-1.0, 1.0)
    lash = 0.0055 + 0.0065 * face.value("lash") * taper
    canvas.fill(intersect(above.abs() - lash, ends - 0.008), face.colour("brow") * 0.45)
    lid = intersect((y - bottom).abs() / flat - 0.003, ends)
    canvas.blend(skin * 0.5, canvas.coverage(lid) * 0.75)
    crease = intersect((above - 0.022 - 0.006 * wide).abs() - 0.003, ends + 0.012)
    canvas.blend(skin * 0.5, canvas.coverage(crease) * 0.6)


def brow_centre(face: FaceParameters) -> Tensor:
    """Distance of the middle of each brow from that of the face, ``(n, 1, 1)``."""
    anger, grief = face.value("brow_tilt").clamp(min=0.0), face.value("inner_raise")
    return BROW_U + face.value("eye_spacing") - 0.014 * anger - 0.008 * grief


def brow_lift(face: FaceParameters, x: Tensor) -> Tensor:
    """How far a brow is raised, at ``x`` from -1 at the nose to 1 at the temple."""
    tilt, grief = face.value("brow_tilt"), face.value("inner_raise")
    inner = 0.5 - 0.5 * x
    return (
        0.058 * face.value("brow_raise")
        + face.value("brow_arch") * (1.0 - x * x - 0.5)
        + tilt * 0.036 * x
        - 0.010 * tilt.clamp(min=0.0)
        + grief * (0.072 * inner * inner - 0.012)
    )


def paint_brows(canvas: Canvas, face: FaceParameters) -> None:
    """Both brows, and the furrows between them when their inner ends are lowered."""
    tilt, grief = face.value("brow_tilt"), face.value("inner_raise")
    anger = tilt.clamp(min=0.0)
    au = canvas.u.abs()
    length = face.value("brow_length")
    x = (au - brow_centre(face)) / length
    clipped = x.clamp(-1.0, 1.0)
    inner = 0.5 - 0.5 * clipped
    lift = brow_lift(face, clipped)
    side = torch.where(canvas.u < 0, -1.0, 1.0) * face.value("brow_asymmetry")
    y = canvas.v - BROW_V - face.value("brow_height") + lift + side
    steep = (0.036 * tilt - 0.072 * grief * inner) / length
    steep = steep - 2.0 * face.value("brow_arch") * clipped / length
    across = y / (1.0 + steep * steep).sqrt_()
    along = (x - clipped) * length
    outer = 1.0 - inner
    thick = face.value("brow_thickness") * (1.0 - 0.65 * outer * outer)
    canvas.fill((across * across + along * along).sqrt_() - thick, face.colour("brow"))

    furrow = intersect((au - 0.034).abs() - 0.005, (canvas.v + 0.17).abs() - 0.035)
    opacity = 0.55 * torch.maximum(anger, 0.5 * face.value("nose_wrinkle"))
    canvas.blend(face.colour("skin") * 0.5, canvas.coverage(furrow) * opacity)


def paint_nose(canvas: Canvas, face: FaceParameters) -> None:
    """Nose with nostrils, and the wrinkles across its bridge."""
    skin = face.colour("skin")
    wrinkle = face.value("nose_wrinkle")
    # The tip stands out of the face, so it moves further when the head turns.
    u = canvas.u - 0.02 * face.value("yaw")
    tip = NOSE_V + face.value("nose_length") - 0.02 * wrinkle
    v = canvas.v - tip - 0.012 * face.value("pitch")
    width = face.value("nose_width") * (1.0 + 0.2 * wrinkle)
    au = u.abs()
    x = au / width

    side = glow(u - 0.7 * width, v + 0.1, 0.045, 0.17)
    canvas.blend(skin * 0.72, side * (0.25 + 0.45 * face.value("nose_bridge")))
    canvas.blend(skin + 0.3 * (1.0 - skin), 0.7 * glow(u + 0.008, v, 0.03, 0.035))
    base = 0.046 - 0.034 * x * x
    slope = 0.068 * x / width
    curve = (v - base).abs() / (1.0 + slope * slope).sqrt_() - 0.0055
    under = intersect(curve, (x - 1.12) * width)
    canvas.blend(skin * 0.5, canvas.coverage(under) * 0.85)
    nostril = ellipse(au - 0.5 * width, v - 0.03, 0.26 * width, 0.0095)
    canvas.fill(nostril, skin * 0.32)

    ripple = (canvas.v + 0.13 - 0.5 * canvas.u.abs()) / 0.034
    crest = ripple - torch.floor(ripple) - 0.5
    rows = intersect(crest.abs() * 0.034 - 0.006, (ripple - 1.0).abs() * 0.034 - 0.05)
    rows = intersect(rows, canvas.u.abs() - 0.048)
    canvas.blend(skin * 0.5, canvas.coverage(rows) * (0.55 * wrinkle))


def paint_folds(canvas: Canvas, face: FaceParameters) -> None:
    """Folds from the nose to the corners of the mouth."""
    smile, wrinkle = face.value("smile").clamp(min=0.0), face.value("nose_wrinkle")
    t = (canvas.v - 0.08 + 0.02 * wrinkle) / 0.17
    start = face.value("nose_width") + 0.025
    end = face.value("mouth_width") + 0.045 + 0.02 * smile
    line = start + (end - start) * t * (1.5 - 0.5 * t)
    stroke = (canvas.u.abs() - line).abs() * 0.85 - 0.0055
    shape = intersect(stroke, (t - 0.5).abs() * 0.17 - 0.085)
    opacity = 0.6 * torch.maximum(0.7 * smile, wrinkle)
    canvas.blend(face.colour("skin") * 0.55, canvas.coverage(shape) * opacity)


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
