"""``LocalWarp``: random local warps of face images as a module."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from jaxtyping import Float, Int, Shaped
from torch import Tensor, nn

from contrawarp_edge.align.crop import FACE_CROP, CropContract
from contrawarp_edge.core.errors import InputError
from contrawarp_edge.core.ranges import check_interval, check_range
from lightly_contrawarp.transforms.bumps import (
    WarpParameters,
    limit_to_bijection,
    lipschitz_bound,
)
from lightly_contrawarp.transforms.landmarks import similarity, template_points, turn
from lightly_contrawarp.transforms.sampling_grid import (
    identity_affine,
    sample,
    sampling_grid,
)


class LocalWarp(nn.Module):
    """Changes the expression of a face by a few smooth local displacements.

    Each image gets warps of its own. Lengths are in units of the face: multiples of
    the distance between the eyes in the crop contract. A draw that could fold is
    scaled down until it cannot, so many or strong bumps end up weaker than asked
    for; :meth:`strength_of` tells what was applied.

    Attributes:
        num_bumps: Bumps of one warp, at least 1.
        strength: Range of one bump's displacement, in inter-ocular distances, from 0.
        radius: Range of one bump's radius, in inter-ocular distances, above 0.
        around: Where bumps sit on a face whose landmarks are not given:
            ``"landmarks"`` near eyes, brows, nose and mouth of the crop contract,
            ``"box"`` anywhere in its face box.
        jitter: Standard deviation of a centre about its landmark, in inter-ocular
            distances, at least 0.
        crop: The crop contract of the images.

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
        super().__init__()
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
        self.crop = crop

    def draw(
        self,
        batch: int,
        *,
        landmarks: Float[Tensor, "b p 2"] | None = None,
        generator: torch.Generator | None = None,
        device: torch.device | str = "cpu",
        dtype: torch.dtype = torch.float32,
    ) -> WarpParameters:
        """Draws the bumps of ``batch`` warps, each fold-free.

        Args:
            batch: Number of warps.
            landmarks: The landmarks of each face, to warp around instead of the
                contract's, in the order of ``crop.landmarks``, as fractions of the
                image. Lengths are then in units of that face, which may be larger or
                smaller than the contract's.
            generator: Source of randomness; torch's global one by default.
            device: Where the parameters shall be; the generator's device too.
            dtype: Floating type of the parameters.

        Returns:
            Parameters of ``batch`` warps of ``num_bumps`` bumps.

        Raises:
            ValueError: If ``landmarks`` has the wrong shape.
        """
        frames = [] if landmarks is None else [landmarks]
        return self._draw(batch, frames, generator, device, dtype)[0]

    def draw_frames(
        self,
        landmarks: Sequence[Float[Tensor, "b p 2"]],
        *,
        generator: torch.Generator | None = None,
        device: torch.device | str = "cpu",
        dtype: torch.dtype = torch.float32,
    ) -> list[WarpParameters]:
        """Draws warps and places each on several frames of its face.

        In all frames a warp does the same to the same features: its bumps move,
        grow and turn with the face.

        Args:
            landmarks: For each frame, the landmarks of all faces in it, as for
                :meth:`draw`; one frame or more.
            generator: As for :meth:`draw`.
            device: As for :meth:`draw`.
            dtype: As for :meth:`draw`.

        Returns:
            For each frame, a warp of each face.

        Raises:
            ValueError: If ``landmarks`` has the wrong shape.
        """
        return self._draw(len(landmarks[0]), landmarks, generator, device, dtype)

    def _draw(
        self,
        batch: int,
        frames: Sequence[Float[Tensor, "b p 2"]],
        generator: torch.Generator | None,
        device: torch.device | str,
        dtype: torch.dtype,
    ) -> list[WarpParameters]:
        """Draws warps for frames with landmarks, or for the contract without."""
        template = template_points(self.crop).to(device, dtype)
        for points in frames:
            if points.shape != (batch, *template.shape):
                raise ValueError(
                    f"landmarks must have shape {[batch, *template.shape]}, in the "
                    f"order of crop.landmarks, got {list(points.shape)}"
                )
        shape, unit = (batch, self.num_bumps), self.crop.interocular

        def uniform(low: float, high: float) -> Tensor:
            unit = torch.rand(shape, generator=generator, device=device, dtype=dtype)
            return low + (high - low) * unit

        boxed = not frames and self.around == "box"
        if boxed:
            left, top, right, bottom = self.crop.face_box
            offsets = torch.stack([uniform(left, right), uniform(top, bottom)], dim=-1)
        else:
            chosen = _choose(batch, len(template), self.num_bumps, generator, device)
            noise = torch.randn(
                (*shape, 2), generator=generator, device=device, dtype=dtype
            )
            offsets = self.jitter * unit * noise
        radii = uniform(*self.radius) * unit
        length = uniform(*self.strength) * unit
        angle = uniform(0, 2 * math.pi)
        vectors = torch.stack([angle.cos(), angle.sin()], dim=-1) * length[..., None]
        if boxed:
            return [limit_to_bijection(WarpParameters(offsets, radii, vectors))]
        placed = []
        for points in frames or [template.expand(batch, -1, -1)]:
            points = points.to(device, dtype)
            factor = similarity(template, points)
            features = points.gather(1, chosen[..., None].expand(-1, -1, 2))
            placed.append(
                WarpParameters(
                    features + turn(offsets, factor),
                    radii * factor.norm(dim=1, keepdim=True),
                    turn(vectors, factor),
                )
            )
        # A warp that could fold in one frame is weakened in all of them.
        steepness = torch.stack([lipschitz_bound(one) for one in placed]).amax(0)
        return [limit_to_bijection(one, steepness=steepness) for one in placed]

    def strength_of(self, parameters: WarpParameters) -> Float[Tensor, " b"]:
        """Mean displacement of each warp, in inter-ocular distances."""
        lengths = parameters.vectors.square().sum(-1).sqrt().mean(-1)
        return lengths / self.crop.interocular

    def forward(
        self,
        images: Shaped[Tensor, "*b c h w"],
        parameters: WarpParameters | None = None,
    ) -> Shaped[Tensor, "*b c h w"]:
        """Warps one image or a batch.

        Args:
            images: Floating of any range, or integers up to 2^24. Of less than 32
                bits, they are computed in 32.
            parameters: Warps to replay; drawn if ``None``.

        Returns:
            Images of the same type, differentiable if floating.

        Raises:
            ValueError: If ``images`` is neither an image nor a batch of images.
        """
        if images.ndim not in (3, 4):
            raise ValueError(
                f"images must be [C, H, W] or [B, C, H, W], got {list(images.shape)}"
            )
        batch = images if images.ndim == 4 else images[None]
        values = batch if batch.dtype == torch.float64 else batch.float()
        if parameters is None:
            parameters = self.draw(len(batch), device=batch.device, dtype=values.dtype)
        affine = identity_affine(len(batch), values)
        height, width = batch.shape[-2:]
        warped = sample(values, sampling_grid(affine, (height, width), parameters))
        if not batch.is_floating_point():
            warped = warped.round()  # between neighbours, so the type can hold it
        warped = warped.to(batch.dtype)
        return warped if images.ndim == 4 else warped[0]

    def extra_repr(self) -> str:
        """The settings, for printing."""
        return (
            f"num_bumps={self.num_bumps}, strength={self.strength}, "
            f"radius={self.radius}, around={self.around!r}"
        )


def _choose(
    batch: int,
    total: int,
    count: int,
    generator: torch.Generator | None,
    device: torch.device | str,
) -> Int[Tensor, "b k"]:
    """Picks ``count`` of ``total`` for each row, distinct ones as far as they go."""
    rounds = math.ceil(count / total)
    keys = torch.rand((batch, rounds, total), generator=generator, device=device)
    return keys.argsort(dim=-1).flatten(1)[:, :count]
