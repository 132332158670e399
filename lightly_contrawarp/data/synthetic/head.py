"""Everything around the facial features: skin, hair, ears, beard and glasses."""

from __future__ import annotations

import torch
from torch import Tensor

from lightly_contrawarp.data.synthetic.canvas import (
    Canvas,
    ellipse,
    glow,
    hash_unit,
    intersect,
    soft_step,
)
from lightly_contrawarp.data.synthetic.features import eye_centre
from lightly_contrawarp.data.synthetic.parameters import FaceParameters

CROWN_V = -0.40
CHEEK_V = -0.04


def head_distance(canvas: Canvas, face: FaceParameters) -> Tensor:
    """Signed distance to the outline of the head, ``(n, h, w)``."""
    u, v = canvas.head_u, canvas.head_v
    width, taper = face.value("face_width"), face.value("chin_taper")
    chin = face.value("chin_length") + 0.025 * face.value("mouth_open")
    below = v > CHEEK_V
    height = torch.where(below, chin - CHEEK_V, CHEEK_V - CROWN_V)
    square = torch.where(below, face.value("jaw_square"), 0.25)
    t = (v - CHEEK_V) / height
    t2 = t * t
    jaw = t.clamp(min=0.0)
    half = width * (1.0 - taper * jaw * jaw)
    x = u / half
    level = x * x + t2 * (1.0 - square + square * t2) - 1.0
    slope_u = x / half
    slope_v = t * (1.0 - square + 2.0 * square * t2) / height
    slope_v += x * x * (2.0 * width * taper) * jaw / (half * height)
    return level / ((slope_u * slope_u + slope_v * slope_v).sqrt_() * 2.0 + 1e-6)


def scalp_distance(canvas: Canvas, face: FaceParameters) -> Tensor:
    """Signed distance to the top of the head, continued straight down."""
    v = canvas.head_v.clamp(max=CHEEK_V) - CHEEK_V
    flare = 1.0 + face.value("hair_flare") * (canvas.head_v + 0.2).clamp(min=0.0)
    return ellipse(
        canvas.head_u / flare, v, face.value("face_width"), CHEEK_V - CROWN_V
    )


def paint_back_hair(canvas: Canvas, face: FaceParameters, scalp: Tensor) -> None:
    """Hair that falls behind the head."""
    end = canvas.head_v - face.value("hair_end")
    shape = intersect(scalp - face.value("hair_volume"), end)
    canvas.fill(shape, face.colour("hair") * 0.8)


def paint_neck_and_ears(canvas: Canvas, face: FaceParameters) -> None:
    """Neck and ears, behind the head."""
    skin = face.colour("skin")
    low = canvas.window(0.1, 0.75, 0.9, 1.0)
    neck = intersect(low.head_u.abs() - 0.55 * face.value("face_width"), -low.head_v)
    low.fill(neck, skin * 0.72)

    side = canvas.window(0.0, 0.25, 1.0, 0.75)
    size = face.value("ear_size")
    x = side.head_u.abs() - face.value("face_width")
    y = side.head_v + 0.02
    side.fill(ellipse(x - 0.005, y, 0.042 * size, 0.072 * size), skin * 0.9)
    side.fill(ellipse(x - 0.012, y, 0.022 * size, 0.045 * size), skin * 0.7)


def paint_skin(canvas: Canvas, face: FaceParameters, head: Tensor) -> None:
    """The head, with a darker rim, blush and freckles."""
    skin = face.colour("skin")
    rim = soft_step(1.0 + head / 0.09)[:, None]
    canvas.blend(skin * (1.0 - 0.22 * rim), canvas.coverage(head))

    cheeks = canvas.window(0.0, 0.4, 1.0, 0.85)
    lift = 0.03 * face.value("smile").clamp(min=0.0)
    spot = glow(cheeks.u.abs() - 0.22, cheeks.v - 0.1 + lift, 0.14, 0.1)
    tint = torch.tensor([1.0, 0.62, 0.6]).view(1, 3, 1, 1)
    cheeks.blend(skin * tint, spot * face.value("blush"))
    _paint_freckles(cheeks, face)


def _paint_freckles(canvas: Canvas, face: FaceParameters) -> None:
    if not bool((face.value("freckles") > 0).any()):
        return
    cell = 0.034
    column = torch.floor(canvas.u / cell)
    row = torch.floor(canvas.v / cell)
    index = ((row + 64.0) * 128.0 + column + 64.0).long()
    index = (index + face.value("freckle_key").long() * 16384) & 0xFFFFFFFF
    other = index ^ 0x2F6B4D91
    x = canvas.u - (column + 0.2 + 0.6 * hash_unit(index)) * cell
    y = canvas.v - (row + 0.2 + 0.6 * hash_unit(other)) * cell
    radius = 0.0035 + 0.0035 * hash_unit(index ^ 0x51ED270B)
    area = glow(canvas.u.abs() - 0.15, canvas.v - 0.08, 0.17, 0.12)
    dots = canvas.coverage((x * x + y * y).sqrt_() - radius)
    opacity = dots * soft_step(area * 2.0) * face.value("freckles")
    canvas.blend(face.colour("skin") * 0.55, opacity)


def paint_beard(canvas: Canvas, face: FaceParameters, head: Tensor) -> None:
    """A shade of beard on the lower face; ``head`` is that of the whole canvas."""
    x = canvas.head_u / face.value("face_width")
    side = x * x
    line = 0.18 - 0.3 * side * side + face.value("mouth_height")
    inside = soft_step((canvas.v - line) / 0.05) * canvas.coverage(head)
    canvas.blend(face.colour("brow"), inside * face.value("beard"))


def paint_front_hair(canvas: Canvas, face: FaceParameters, scalp: Tensor) -> None:
    """Hair in front of the forehead, with a streak of light."""
    u = canvas.u
    x = canvas.head_u / face.value("face_width")
    side = x * x
    strand = u * 9.0
    tooth = (strand - torch.floor(strand) - 0.5).abs() * 2.0
    line = face.value("hairline") + face.value("hair_sides") * side * side * side
    line = line + face.value("hair_part") * (u + 0.4 * u * x)
    line = line + face.value("hair_zigzag") * tooth
    lowest = canvas.head_v - face.value("hair_end").clamp(min=-0.1)
    edge = (canvas.v - line) * 0.8
    shape = intersect(scalp - face.value("hair_volume"), edge, lowest)
    hair = face.colour("hair")
    cover = canvas.coverage(shape)
    canvas.blend(hair, cover)
    streak = (1.0 - (scalp + 0.035).abs() / 0.03).clamp_(min=0.0)
    canvas.blend(hair + 0.35 * (1.0 - hair), cover * streak * 0.5)


def paint_glasses(canvas: Canvas, face: FaceParameters) -> None:
    """Spectacles, where the face has them."""
    if not bool((face.value("glasses") > 0).any()):
        return
    eye_x, eye_y = eye_centre(face)
    au = canvas.u.abs()
    x, y = au - eye_x - 0.004, canvas.v - eye_y - 0.012
    half = 0.5 * face.value("glasses_stroke")
    box = intersect(x.abs() - 0.118, y.abs() - 0.088)
    round_ = ellipse(x, y, 0.122, 0.108)
    lens = torch.where(face.value("glasses_round") > 0.5, round_, box)
    rim = lens.abs() - half
    bar = intersect(y.abs() - half, lens * -1.0, au - face.value("face_width"))
    frame = torch.minimum(rim, bar)
    canvas.blend(face.colour("frame"), canvas.coverage(frame) * face.value("glasses"))
