"""Local warps of a face: the bumps of one, its field, and that it does not fold.

A warp is the backward map ``phi(x) = x + d(x)``: the output at ``x`` shows what the
source shows at ``phi(x)``. The displacement is a sum of compact bumps

    d(x) = -sum_k w(|x - c_k| / r_k) v_k,    w(q) = (1 - q^2)^2 for q < 1, else 0,

so that what lies at ``c_k`` moves by about ``v_k`` and nothing moves beyond ``r_k``.
``|w'| = 4 q (1 - q^2)`` is at most ``8 / (3 sqrt 3)``, and a map whose displacement has
a Lipschitz constant below 1 is a bijection: :func:`limit_to_bijection` scales every
draw down to that bound, so no warp folds.

All coordinates are fractions of the image, x to the right and y down: (0, 0) is the
outer corner of the first pixel, (1, 1) that of the last.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

_CELLS = 32  # cells a side on which the Lipschitz constant is bounded
_AT_A_TIME = 1 << 16  # values that are worked on together, which stay in a CPU's cache


class WarpParameters(NamedTuple):
    """Bumps of a batch of warps; all that is needed to replay them.

    Attributes:
        centers: Bump centres ``c_k``.
        radii: Bump radii ``r_k``, greater than 0.
        vectors: Displacements ``v_k``.
        actions: What the bumps do to the face, in inter-ocular distances: the signed
            strength of each action that the warp has a name for.
    """

    centers: Float[Tensor, "*b k 2"]
    radii: Float[Tensor, "*b k"]
    vectors: Float[Tensor, "*b k 2"]
    actions: Float[Tensor, "*b a"]

    def select(self, index: slice | Tensor) -> WarpParameters:
        """The warps at some positions of the batch."""
        return WarpParameters(*(tensor[index] for tensor in self))

    def stilled(self) -> WarpParameters:
        """The same bumps with no displacement: the identity map."""
        return self._replace(
            vectors=torch.zeros_like(self.vectors),
            actions=torch.zeros_like(self.actions),
        )


def still_bumps(batch: int) -> WarpParameters:
    """A batch of warps that leave all as it is, of one bump each."""
    center = torch.zeros(batch, 1, 2)
    return WarpParameters(
        center, torch.ones(batch, 1), torch.zeros_like(center), torch.zeros(batch, 0)
    )


def bump_field(
    points: Float[Tensor, "#b p 2"], parameters: WarpParameters
) -> Float[Tensor, "b p 2"]:
    """Evaluates the displacement of each warp at given points.

    Args:
        points: Those of each warp, or one row, the same for all warps.
        parameters: The warps.

    Returns:
        ``d(points)``.
    """
    centers, radii, vectors, _ = parameters
    x, y = points[:, None].unbind(-1)
    dx, dy = x - centers[..., :1], y - centers[..., 1:]
    q2 = (dx.square() + dy.square()) / radii[..., None].square()
    weights = (1 - q2).clamp_min(0).square()
    return -(vectors.mT @ weights).mT


def lipschitz_bound(parameters: WarpParameters) -> Float[Tensor, " b"]:
    """Bounds the Lipschitz constant of each displacement field from above.

    The plane is cut into cells; in a cell each bump contributes at most the largest
    slope over the range of distances that the cell spans. The sum over bumps is a
    bound for the cell, its maximum over cells a bound for the field. It is never too
    small, and much tighter than adding up the peak slopes of overlapping bumps.
    """
    centers, radii, vectors, _ = parameters
    low = (centers - radii[..., None]).amin(dim=1)
    step = ((centers + radii[..., None]).amax(dim=1) - low) / _CELLS
    ticks = torch.arange(_CELLS, dtype=radii.dtype, device=radii.device) + 0.5
    middles = low[..., None] + step[..., None] * ticks
    apart = (middles[:, None] - centers[..., None]) / radii[..., None, None]
    x2, y2 = apart.square().unbind(2)
    spread = step.square().sum(-1).sqrt()[:, None] / 2 / radii
    height = 4 * vectors.square().sum(-1).sqrt() / radii
    total = radii.new_zeros(len(radii), _CELLS, _CELLS)
    many = max(1, _AT_A_TIME // max(1, total.numel()))
    for start in range(0, radii.shape[1], many):
        some = slice(start, start + many)
        q = (x2[:, some, None, :] + y2[:, some, :, None]).sqrt_()
        # The slope rises up to the peak and falls beyond it: the steepest place of a
        # cell is the one that is closest to the peak.
        reach = spread[:, some, None, None]
        q += (1 / math.sqrt(3) - q).clamp_(-reach, reach)
        slope = q * (1 - q.square()).clamp_(min=0)
        total += (slope * height[:, some, None, None]).sum(1)
    return total.flatten(1).amax(dim=1)


def limit_to_bijection(
    parameters: WarpParameters,
    bound: float = 0.9,
    steepness: Float[Tensor, " b"] | None = None,
) -> WarpParameters:
    """Scales down those warps that might fold: what they move, and their actions.

    Args:
        parameters: The warps.
        bound: Largest Lipschitz constant that is let through, in (0, 1).
        steepness: Bounds to go by instead of the warps' own.

    Returns:
        Warps with ``lipschitz_bound(...) <= bound``; the others are unchanged.

    Raises:
        ValueError: If ``bound`` is not between 0 and 1.
    """
    if not 0 < bound < 1:
        raise ValueError(f"bound must be between 0 and 1, got {bound}")
    if steepness is None:
        steepness = lipschitz_bound(parameters)
    factor = (bound / steepness.clamp_min(bound))[:, None]
    return parameters._replace(
        vectors=parameters.vectors * factor[..., None],
        actions=parameters.actions * factor,
    )


def warp_points(
    points: Float[Tensor, "b p 2"], parameters: WarpParameters, iterations: int = 100
) -> Float[Tensor, "b p 2"]:
    """Carries points of the source to where a warp puts them.

    Solves ``y + d(y) = x`` by the fixed point ``y <- x - d(y)``, which converges for
    every warp that :func:`limit_to_bijection` lets through.

    Args:
        points: Positions in the source.
        parameters: The warps.
        iterations: Number of steps; the error shrinks by the Lipschitz constant in
            each.

    Returns:
        Positions in the warped image.
    """
    moved = points
    for _ in range(iterations):
        moved = points - bump_field(moved, parameters)
    return moved
