"""The crop contract: how a face has to sit in an image.

The same picture cropped in another way is another input, and published weights lose
ten points of accuracy over it. So the framing is written down once, used to place
warps, drawn by the built-in faces, and stored in checkpoints and exported models.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field

Point = tuple[float, float]


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

    def to_dict(self) -> dict[str, object]:
        """The contract as plain values, for JSON."""
        return asdict(self)


FACE_CROP = CropContract()
"""The contract that this package trains and exports with."""
