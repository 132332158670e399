"""What varies between drawn faces: identity traits, nuisances and colours."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Range = tuple[float, float]
Ranges = dict[str, Range]

# Lengths are fractions of the image. Each value is uniform over its range.
SHAPE_RANGES: Ranges = {
    "face_width": (0.345, 0.41),
    "jaw_square": (0.0, 0.9),
    "chin_taper": (0.02, 0.34),
    "chin_length": (0.425, 0.47),
    "eye_size": (0.84, 1.16),
    "eye_roundness": (0.85, 1.2),
    "eye_spacing": (-0.014, 0.014),
    "eye_height": (-0.008, 0.008),
    "eye_slant": (-0.12, 0.2),
    "iris_size": (0.88, 1.1),
    "lash": (0.0, 1.0),
    "brow_thickness": (0.009, 0.021),
    "brow_length": (0.078, 0.108),
    "brow_height": (-0.012, 0.012),
    "brow_arch": (0.004, 0.024),
    "brow_asymmetry": (-0.006, 0.006),
    "nose_length": (-0.03, 0.03),
    "nose_width": (0.042, 0.078),
    "nose_bridge": (0.0, 1.0),
    "mouth_width": (0.118, 0.158),
    "mouth_height": (-0.012, 0.012),
    "lip_upper": (0.011, 0.028),
    "lip_lower": (0.017, 0.038),
    "ear_size": (0.8, 1.2),
    "blush": (0.0, 0.35),
}
# These depend on the hair style or are absent from most faces.
STYLE_TRAITS = (
    "hair_volume",
    "hair_end",
    "hair_flare",
    "hairline",
    "hair_sides",
    "hair_part",
    "hair_zigzag",
    "beard",
    "freckles",
    "freckle_key",
    "glasses",
    "glasses_round",
    "glasses_stroke",
)
TRAITS = (*SHAPE_RANGES, *STYLE_TRAITS)

NUISANCE_RANGES: Ranges = {
    "rotation": (-0.14, 0.14),  # tangent of the in-plane angle: 8 degrees
    "scale": (0.93, 1.07),
    "shift_x": (-0.025, 0.025),
    "shift_y": (-0.02, 0.02),
    "yaw": (-1.0, 1.0),
    "pitch": (-1.0, 1.0),
    "gaze_x": (-1.0, 1.0),
    "gaze_y": (-1.0, 1.0),
    "light_x": (-0.28, 0.28),
    "light_y": (-0.22, 0.16),
    "exposure": (0.8, 1.12),
    "backdrop_x": (-0.8, 0.8),
    "backdrop_y": (-0.8, 0.8),
    "noise": (0.0, 0.035),
    "blur": (-1.2, 0.8),  # negative: sharp
}
NUISANCES = tuple(NUISANCE_RANGES)

COLOURS = ("skin", "hair", "brow", "lip", "iris", "frame", "backdrop_1", "backdrop_2")

SKINS = (
    (250, 222, 200),
    (243, 203, 172),
    (232, 184, 148),
    (214, 160, 118),
    (188, 132, 92),
    (158, 106, 72),
    (126, 82, 56),
    (98, 64, 46),
)
HAIRS = (
    (24, 20, 22),
    (44, 30, 24),
    (76, 48, 32),
    (112, 70, 40),
    (150, 70, 36),
    (196, 150, 88),
    (226, 196, 136),
    (150, 148, 150),
    (222, 220, 218),
)
IRISES = ((52, 32, 22), (92, 58, 30), (78, 104, 62), (66, 112, 150), (104, 118, 128))
FRAMES = ((26, 26, 30), (120, 40, 36), (42, 62, 110), (96, 66, 40), (150, 150, 158))


class HairStyle(NamedTuple):
    """How often a style is worn, and the range of each trait in it."""

    odds: float
    volume: Range
    end: Range
    hairline: Range
    sides: Range
    flare: Range = (0.0, 0.0)
    part: Range = (0.0, 0.0)
    zigzag: Range = (0.0, 0.0)

    def ranges(self) -> tuple[Range, ...]:
        """Ranges of the hair traits, in their order in ``STYLE_TRAITS``."""
        return (
            *(self.volume, self.end, self.flare, self.hairline),
            *(self.sides, self.part, self.zigzag),
        )


_BALD = HairStyle(0.08, (0, 0), (-0.5, -0.5), (-0.6, -0.6), (0, 0))
_RECEDING = HairStyle(0.1, (0.025, 0.04), (0.0, 0.1), (-0.47, -0.43), (0.36, 0.44))
_CROPPED = HairStyle(
    0.17, (0.01, 0.025), (-0.1, 0.0), (-0.4, -0.36), (0.22, 0.34), part=(-0.05, 0.05)
)
_PARTED = HairStyle(
    0.2, (0.04, 0.08), (-0.08, 0.05), (-0.39, -0.35), (0.2, 0.3), part=(-0.28, 0.28)
)
_FRINGE = HairStyle(
    *(0.15, (0.04, 0.08), (-0.05, 0.5), (-0.345, -0.325), (0.08, 0.24)),
    flare=(0, 0.15),
    zigzag=(0.01, 0.03),
)
_LONG = HairStyle(
    *(0.2, (0.03, 0.08), (0.3, 0.8), (-0.4, -0.35), (0.25, 0.5)),
    flare=(0, 0.25),
    part=(-0.22, 0.22),
)
_FULL = HairStyle(
    *(0.1, (0.08, 0.12), (0.08, 0.25), (-0.385, -0.345), (0.2, 0.3)),
    flare=(0.1, 0.2),
    zigzag=(0.012, 0.025),
)
HAIR_STYLES = (_BALD, _RECEDING, _CROPPED, _PARTED, _FRINGE, _LONG, _FULL)


def scale_to(ranges: Ranges, unit: Array) -> Array:
    """Map ``(N, len(ranges))`` numbers in [0, 1) to the ranges."""
    low, high = np.array(list(ranges.values())).T
    return np.asarray(low + (high - low) * unit)


def palette(colours: tuple[tuple[int, int, int], ...], position: Array) -> Array:
    """Colours in [0, 1] at positions in [0, 1) along a palette, interpolated."""
    table = np.array(colours) / 255.0
    at = position * (len(table) - 1)
    left = np.floor(at).astype(np.int64)
    part = (at - left)[:, None]
    return np.asarray(table[left] * (1 - part) + table[left + 1] * part)


def hair_traits(style: Array, unit: Array) -> Array:
    """Traits of the hair: style ``(N,)`` and detail ``(N, 7)`` in [0, 1) to (N, 7)."""
    edges = np.cumsum([style.odds for style in HAIR_STYLES])
    chosen = np.minimum(np.searchsorted(edges, style, "right"), len(edges) - 1)
    low, high = np.moveaxis(np.array([s.ranges() for s in HAIR_STYLES])[chosen], -1, 0)
    return np.asarray(low + (high - low) * unit)
