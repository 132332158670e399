"""The crop contract: how a face has to sit in an image.

The same picture cropped in another way is another input, and published weights lose
ten points of accuracy over it. So the framing is written down once, used to align
photographs and to place warps, and stored in checkpoints, exported models and
galleries.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from contrawarp_edge.core.errors import InputError

Point = tuple[float, float]
Points = npt.NDArray[np.float64]

FIVE_POINTS = (
    "left_eye",
    "right_eye",
    "nose",
    "left_mouth_corner",
    "right_mouth_corner",
)
"""The points that a face is aligned by, in the order of every array of them."""


def _mean_landmarks() -> dict[str, Point]:
    return {
        "left_brow": (0.29, 0.29),
        "right_brow": (0.71, 0.29),
        "left_eye": (0.31, 0.38),
        "right_eye": (0.69, 0.38),
        "nose": (0.50, 0.57),
        "left_mouth_corner": (0.36, 0.78),
        "right_mouth_corner": (0.64, 0.78),
        "mouth": (0.50, 0.78),
    }


@dataclass(frozen=True)
class CropContract:
    """A square crop of an upright face, in which the features sit at known places.

    All coordinates are fractions of the image: x to the right, y down, (0, 0) the
    outer corner of the first pixel and (1, 1) that of the last. ``left`` means left
    in the image. The default values are the mean positions in the tight, roughly
    aligned crops of FER2013.

    Attributes:
        name: Identifier that is stored with checkpoints and exported models.
        landmarks: Mean position of each named facial feature.
        face_box: ``(left, top, right, bottom)`` of the face itself.
    """

    name: str = "tight-face-v1"
    landmarks: dict[str, Point] = field(default_factory=_mean_landmarks)
    face_box: tuple[float, float, float, float] = (0.1, 0.12, 0.9, 0.96)

    @property
    def interocular(self) -> float:
        """Distance between the eye centres, as a fraction of the image width."""
        return self.landmarks["right_eye"][0] - self.landmarks["left_eye"][0]

    @property
    def five_points(self) -> Points:
        """Where ``FIVE_POINTS`` sit, float64 ``(5, 2)``."""
        return np.array([self.landmarks[name] for name in FIVE_POINTS])

    def to_dict(self) -> dict[str, object]:
        """The contract as plain values, for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> CropContract:
        """Reads what ``to_dict`` wrote, also after a way through JSON.

        Raises:
            InputError: If one of ``FIVE_POINTS`` or another part is missing or
                malformed.
        """
        try:
            landmarks = {
                str(k): (float(x), float(y))
                for k, (x, y) in values["landmarks"].items()
            }
            left, top, right, bottom = map(float, values["face_box"])
            contract = cls(str(values["name"]), landmarks, (left, top, right, bottom))
            points = contract.five_points
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise InputError(
                "the crop contract does not say where eyes, nose and mouth corners are"
            ) from error
        if not np.isfinite(points).all() or not contract.interocular > 0:
            raise InputError("the points of the crop contract are not in their order")
        return contract


FACE_CROP = CropContract()
"""The contract that models are trained and exported with."""
