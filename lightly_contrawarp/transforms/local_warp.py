"""``LocalWarp``: warps of random bumps near the features of a face."""

from __future__ import annotations

import math

import torch
from jaxtyping import Int
from torch import Tensor

from contrawarp_edge.align.crop import FACE_CROP, CropContract
from contrawarp_edge.core.errors import InputError
from contrawarp_edge.core.ranges import check_interval, check_range
from lightly_contrawarp.transforms.face_warp import DrawnBumps, FaceWarp, Source
from lightly_contrawarp.transforms.geometry.bumps import WarpParameters


class LocalWarp(FaceWarp):
    """Moves random features of a face in random directions; see :class:`FaceWarp`.

    Attributes:
        num_bumps: Bumps of one warp, at least 1.
        strength: Range of one bump's displacement, in inter-ocular distances, from 0.
        radius: Range of one bump's radius, in inter-ocular distances, above 0.
        around: Where bumps sit on a face whose landmarks are not given:
            ``"landmarks"`` near eyes, brows, nose and mouth of the crop contract,
            ``"box"`` anywhere in its face box.
        jitter: Standard deviation of a centre about its landmark, in inter-ocular
            distances, at least 0.

    Examples:
        >>> warp = LocalWarp()
        >>> faces = torch.rand(8, 3, 64, 64)
        >>> parameters = warp.draw(8)
        >>> replayed = warp(faces, parameters)
        >>> torch.equal(replayed, warp(faces, parameters))
        True
    """

    def __init__(
        self,
        num_bumps: int = 2,
        strength: tuple[float, float] = (0.3, 0.5),
        radius: tuple[float, float] = (0.5, 0.9),
        around: str = "landmarks",
        jitter: float = 0.1,
        crop: CropContract = FACE_CROP,
    ) -> None:
        """Stores the settings.

        Raises:
            InputError: If a range does not increase, or a value is outside of its own.
        """
        super().__init__(crop)
        check_range("num_bumps", num_bumps, 1)
        check_interval("strength", strength, 0)
        check_interval("radius", radius, 0, low_open=True)
        check_range("jitter", jitter, 0)
        if around not in ("landmarks", "box"):
            raise InputError(f"around must be 'landmarks' or 'box', got {around!r}")
        self.num_bumps = num_bumps
        self.strength = strength
        self.radius = radius
        self.around = around
        self.jitter = jitter

    def _draw_bumps(self, batch: int, source: Source, own: bool) -> DrawnBumps:
        shape, unit = (batch, self.num_bumps), self.crop.interocular
        chosen = None
        if self.around == "box" and not own:
            left, top, right, bottom = self.crop.face_box
            x = source.uniform((left, right), *shape)
            centers = torch.stack([x, source.uniform((top, bottom), *shape)], dim=-1)
        else:
            chosen = _choose(batch, len(self.crop.landmarks), self.num_bumps, source)
            centers = self.jitter * unit * source.normal(*shape, 2)
        radii = source.uniform(self.radius, *shape) * unit
        length = source.uniform(self.strength, *shape) * unit
        angle = source.uniform((0, 2 * math.pi), *shape)
        vectors = torch.stack([angle.cos(), angle.sin()], dim=-1) * length[..., None]
        unnamed = vectors.new_zeros(batch, 0)
        return DrawnBumps(WarpParameters(centers, radii, vectors, unnamed), chosen)

    def extra_repr(self) -> str:
        """The settings, for printing."""
        return (
            f"num_bumps={self.num_bumps}, strength={self.strength}, "
            f"radius={self.radius}, around={self.around!r}"
        )


def _choose(batch: int, total: int, count: int, source: Source) -> Int[Tensor, "b k"]:
    """Picks ``count`` of ``total`` for each row, distinct ones as far as they go."""
    rounds = math.ceil(count / total)
    keys = torch.rand(
        (batch, rounds, total), generator=source.generator, device=source.device
    )
    return keys.argsort(dim=-1).flatten(1)[:, :count]
