"""Facial actions: what expressions are made of, as moves of points of a face.

Points are those of `FACE_CROP`: x to the right and y down, ``left`` is left in the
image. An action with a negative strength is its opposite.
"""

from __future__ import annotations

from dataclasses import dataclass

from contrawarp_edge.align.crop import Point


@dataclass(frozen=True)
class Move:
    """What an action does at one point.

    Attributes:
        point: The point, in the crop contract.
        direction: Where it goes, in inter-ocular distances, at a strength of 1.
        radius: How far around it, relative to other moves.
    """

    point: Point
    direction: Point
    radius: float = 1.0


@dataclass(frozen=True)
class FacialAction:
    """A symmetric move of parts of a face.

    Attributes:
        name: What it is called, as an identifier.
        opposite: What it is called with a negative strength.
        moves: What it does, to each point.
    """

    name: str
    opposite: str
    moves: tuple[Move, ...]

    def in_words(self, strength: float) -> str:
        """What it does with a strength, such as ``"jaw up"``."""
        return (self.name if strength > 0 else self.opposite).replace("_", " ")


def _both_sides(*left: Move) -> tuple[Move, ...]:
    """Moves of the left side of the image, and their mirror images."""
    right = [
        Move((1 - x, y), (-dx, dy), move.radius)
        for move in left
        for (x, y), (dx, dy) in [(move.point, move.direction)]
    ]
    return (*left, *right)


_UP, _DOWN, _OUT, _IN = (0.0, -1.0), (0.0, 1.0), (-1.0, 0.0), (1.0, 0.0)
_SMALL = 0.6
"""Lids and lips are close to what must not move with them."""

ACTIONS = {
    action.name: action
    for action in (
        FacialAction(
            "inner_brows_up",
            "inner_brows_down",
            _both_sides(Move((0.38, 0.28), _UP)),
        ),
        FacialAction(
            "outer_brows_up",
            "outer_brows_down",
            _both_sides(Move((0.22, 0.30), _UP)),
        ),
        FacialAction(
            "brows_together",
            "brows_apart",
            _both_sides(Move((0.38, 0.28), _IN)),
        ),
        FacialAction(
            "lids_apart",
            "lids_together",
            _both_sides(
                Move((0.31, 0.35), _UP, _SMALL), Move((0.31, 0.42), _DOWN, _SMALL)
            ),
        ),
        FacialAction(
            "mouth_corners_up",
            "mouth_corners_down",
            _both_sides(Move((0.36, 0.78), _UP)),
        ),
        FacialAction(
            "mouth_wide",
            "mouth_narrow",
            _both_sides(Move((0.36, 0.78), _OUT)),
        ),
        FacialAction(
            "jaw_down",
            "jaw_up",
            (Move((0.50, 0.84), _DOWN), Move((0.50, 0.93), _DOWN)),
        ),
        FacialAction(
            "upper_lip_up",
            "upper_lip_down",
            (Move((0.50, 0.74), _UP, _SMALL),),
        ),
        FacialAction("nose_up", "nose_down", (Move((0.50, 0.57), _UP),)),
        FacialAction("cheeks_up", "cheeks_down", _both_sides(Move((0.25, 0.60), _UP))),
    )
}
"""The actions by their names, in the order of ``ActionWarp.names``."""
