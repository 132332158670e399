"""``ActionWarp``: warps of facial actions, so that a face looks like another mood."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from contrawarp_edge.align.crop import FACE_CROP, CropContract, Point
from contrawarp_edge.core.errors import InputError
from contrawarp_edge.core.ranges import check_interval, check_range
from lightly_contrawarp.transforms.actions import ACTIONS
from lightly_contrawarp.transforms.face_warp import (
    DrawnBumps,
    FaceWarp,
    Source,
    between,
)
from lightly_contrawarp.transforms.geometry.bumps import WarpParameters


class ActionWarp(FaceWarp):
    """Moves a face by a few of the facial `ACTIONS`; see :class:`FaceWarp`.

    Each image gets distinct actions, each with a sign and a strength of its own. What
    was applied is in the parameters: the ``actions``, of which most are 0.

    Attributes:
        num_actions: Fewest and most actions of one warp, from 1 to all there are.
        strength: Range of an action's strength, in inter-ocular distances, from 0.
        radius: Range of the radius of its bumps, in inter-ocular distances, above 0;
            bumps at lids and upper lip are smaller by a factor.
        jitter: How far a centre is from its point at most, in each direction, in
            inter-ocular distances, at least 0.
        side_jitter: How much stronger or weaker than the action each side of the face
            is at most, as a fraction from 0 to 1.

    Examples:
        >>> warp = ActionWarp(num_actions=(1, 1), strength=(0.2, 0.2))
        >>> warp.names[6]
        'jaw_down'
        >>> (warp.draw(100).actions != 0).sum(1).unique().tolist()
        [1]
    """

    names = tuple(ACTIONS)

    def __init__(
        self,
        num_actions: tuple[int, int] = (2, 3),
        strength: tuple[float, float] = (0.15, 0.45),
        radius: tuple[float, float] = (0.45, 0.75),
        jitter: float = 0.05,
        side_jitter: float = 0.15,
        crop: CropContract = FACE_CROP,
    ) -> None:
        """Stores the settings.

        Raises:
            InputError: If a range does not increase, or a value is outside of its own.
        """
        super().__init__(crop)
        check_interval("num_actions", num_actions, 1)
        if num_actions[1] > len(ACTIONS):
            raise InputError(
                f"num_actions must be at most {len(ACTIONS)}, got {num_actions}"
            )
        check_interval("strength", strength, 0)
        check_interval("radius", radius, 0, low_open=True)
        check_range("jitter", jitter, 0)
        check_range("side_jitter", side_jitter, 0, 1)
        self.num_actions = num_actions
        self.strength = strength
        self.radius = radius
        self.jitter = jitter
        self.side_jitter = side_jitter
        self._moves = _moves(crop)
        self._copies: dict[tuple[str, torch.dtype], _Moves] = {}
        sizes = sorted(len(action.moves) for action in ACTIONS.values())
        self._num_bumps = sum(sizes[-num_actions[1] :])

    def _draw_bumps(self, batch: int, source: Source, own: bool) -> DrawnBumps:
        moves = self._moves_at(source.device, source.dtype)
        total, unit = len(ACTIONS), self.crop.interocular
        low, high = self.num_actions
        count = torch.randint(
            low, high + 1, (batch, 1), generator=source.generator, device=source.device
        )
        # Few draws of many numbers: for one image, each call costs more than its work.
        order, place, radius, *side = source.uniform((-1, 1), 5, batch, total)
        is_drawn = order.argsort(dim=1) < count
        signs = torch.where(place < 0, -1, 1)
        actions = is_drawn * signs * between(self.strength, place.abs())
        radii = between(self.radius, (radius + 1) / 2)
        sides = 1 + self.side_jitter * torch.stack(side, dim=-1)
        # The moves of what was drawn come first. Rows with fewer of them than others
        # may have get their first one again, with no strength.
        is_made = is_drawn[:, moves.action]
        made = is_made.byte().argsort(dim=1, descending=True, stable=True)
        made = made[:, : self._num_bumps]
        is_made = is_made.gather(1, made)
        made = torch.where(is_made, made, made[:, :1])
        action = moves.action[made]
        strength = actions.gather(1, action) * is_made
        both = sides.gather(1, action[..., None].expand(-1, -1, 2))
        strength = strength * (both * moves.sides[made]).sum(-1)
        jitter = source.uniform((-self.jitter, self.jitter), *made.shape, 2)
        bumps = WarpParameters(
            (moves.offset[made] + jitter) * unit,
            radii.gather(1, action) * moves.radius[made] * unit,
            strength[..., None] * moves.direction[made] * unit,
            actions,
        )
        return DrawnBumps(bumps, moves.landmark[made])

    def _moves_at(self, device: torch.device | str, dtype: torch.dtype) -> _Moves:
        """All moves on a device, copied there once."""
        place = str(device), dtype
        if place not in self._copies:
            self._copies[place] = self._moves.to(device, dtype)
        return self._copies[place]

    def extra_repr(self) -> str:
        """The settings, for printing."""
        return (
            f"num_actions={self.num_actions}, strength={self.strength}, "
            f"radius={self.radius}"
        )


class _Moves(NamedTuple):
    """All moves of all actions.

    Attributes:
        action: The action that each is part of, by its place in `ACTIONS`.
        landmark: The landmark that each goes with, by its place in ``crop.landmarks``.
        offset: From the landmark to the point, in inter-ocular distances.
        direction: Where the point goes, in inter-ocular distances.
        radius: Relative to other moves.
        sides: How much each is of the left and of the right side of the image.
    """

    action: Int[Tensor, " k"]
    landmark: Int[Tensor, " k"]
    offset: Float[Tensor, "k 2"]
    direction: Float[Tensor, "k 2"]
    radius: Float[Tensor, " k"]
    sides: Float[Tensor, "k 2"]

    def to(self, device: torch.device | str, dtype: torch.dtype) -> _Moves:
        """The same elsewhere, floating ones of another type."""
        return _Moves(
            *(x.to(device, dtype if x.is_floating_point() else None) for x in self)
        )


def _moves(crop: CropContract) -> _Moves:
    """The moves of `ACTIONS`, each with the nearest of a contract's landmarks."""
    numbered = [
        (number, move)
        for number, action in enumerate(ACTIONS.values())
        for move in action.moves
    ]
    numbers, moves = zip(*numbered, strict=True)
    points = _table([move.point for move in moves])
    # Another contract may have its landmarks elsewhere, and in another order.
    names = [name for name in crop.landmarks if name in FACE_CROP.landmarks]
    near = _table([FACE_CROP.landmarks[name] for name in names])
    nearest = torch.cdist(points, near).argmin(dim=1)
    places = torch.tensor([list(crop.landmarks).index(name) for name in names])
    right = (points[:, 0] - 0.5).sign() / 2 + 0.5
    return _Moves(
        torch.tensor(numbers),
        places[nearest],
        (points - near[nearest]) / FACE_CROP.interocular,
        _table([move.direction for move in moves]),
        _table([move.radius for move in moves]),
        torch.stack([1 - right, right], dim=-1),
    )


def _table(numbers: Sequence[float] | Sequence[Point]) -> Tensor:
    return torch.tensor(numbers, dtype=torch.float64)
