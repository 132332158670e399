"""Which faces of a photo are used, and why others are not."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np

from contrawarp_edge.align.crop import FACE_CROP, CropContract, Points
from contrawarp_edge.align.detector import MIN_SCORE, Face, find_faces, require_detector
from contrawarp_edge.align.geometry import (
    crop_to_photo,
    cut_out,
    inverse,
    outside_share,
    transform,
)
from contrawarp_edge.core.errors import InputError
from contrawarp_edge.inputs.loading import Pixels, Prepare
from contrawarp_edge.model.info import ModelInfo

# How far the nose may be from the middle of the eyes, along their line and in distances
# between them: at 0.5 it stands before an eye.
_MAX_ASIDE = 0.4


@dataclass(frozen=True)
class Rules:
    """What a face has to be like to be cut out.

    Attributes:
        contract: Where its features have to sit in the crop.
        size: Height and width of the crop in pixels.
        all_faces: Every face of a photo, not only the largest.
        min_eyes: Least distance of the eyes in pixels of the photo.
        max_outside: Largest share of the contract's face box that may lie beyond the
            photo's rim.
        min_score: Least score of the detector, 0 to 1.
    """

    contract: CropContract = FACE_CROP
    size: int = 160
    all_faces: bool = False
    min_eyes: float = 10.0
    max_outside: float = 0.2
    min_score: float = MIN_SCORE


@dataclass(frozen=True)
class AlignedFace:
    """A face that was cut out.

    Attributes:
        pixels: uint8 ``(size, size, 3)``.
        points: Its ``FIVE_POINTS`` as fractions of the crop, float64 ``(5, 2)``.
        face: Where it was found.
    """

    pixels: Pixels
    points: Points
    face: Face


def align_photo(pixels: Pixels, rules: Rules) -> tuple[list[AlignedFace], list[str]]:
    """Finds the faces of a photo and cuts them out.

    Args:
        pixels: uint8 ``(H, W, 3)`` RGB.
        rules: What a face has to be like.

    Returns:
        The crops, the largest face first, and for each face that was not cut out the
        reason; one reason if there is no face.

    Raises:
        InputError: If there is no detector.
    """
    faces = find_faces(pixels, min_score=rules.min_score, thorough=rules.all_faces)
    if not faces:
        return [], ["no face found"]
    aligned, reasons = [], []
    for face in faces if rules.all_faces else faces[:1]:
        matrix = crop_to_photo(face.points, rules.contract.five_points)
        if reason := problem(face.points, matrix, pixels.shape, rules):
            reasons.append(reason)
            continue
        points = transform(inverse(matrix), face.points)
        crop = cut_out(pixels, matrix, rules.size)
        aligned.append(AlignedFace(crop, points, face))
    return aligned, reasons


def aligner_for(info: ModelInfo) -> Prepare:
    """What turns a photo into what a model expects: the crop of its largest face.

    Args:
        info: The model; its crop contract and input size are used.

    Raises:
        InputError: If there is no detector, or the model does not say where the points
            of a face have to be.
    """
    require_detector()
    rules = Rules(contract=CropContract.from_dict(info.crop), size=info.input_size)
    return partial(align_one, rules=rules)


def align_one(pixels: Pixels, rules: Rules) -> Pixels:
    """The crop of a photo's largest face, uint8 ``(size, size, 3)``.

    Raises:
        InputError: If there is no face that can be used; the message says why.
    """
    aligned, reasons = align_photo(pixels, rules)
    if not aligned:
        raise InputError(reasons[0])
    return aligned[0].pixels


def problem(
    points: Points, matrix: Points, shape: tuple[int, ...], rules: Rules
) -> str | None:
    """Why a face is not used, None if it is.

    Args:
        points: Its ``FIVE_POINTS`` in pixels of the photo.
        matrix: From its crop to the photo.
        shape: Of the photo, ``(H, W, 3)``.
        rules: What a face has to be like.
    """
    left, right, nose = points[:3]
    line = right - left
    distance = float(np.hypot(*line))
    if distance < rules.min_eyes:
        return (
            f"face too small: {distance:.1f} pixels between the eyes, "
            f"{rules.min_eyes:g} are needed"
        )
    aside = float((nose - (left + right) / 2) @ line) / distance**2
    if abs(aside) > _MAX_ASIDE:
        return "face seen from the side"
    outside = outside_share(matrix, rules.contract.face_box, shape[1], shape[0])
    if outside > rules.max_outside:
        return f"face cut off: {outside:.0%} of it lies beyond the rim"
    return None
