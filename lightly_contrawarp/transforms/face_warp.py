"""What all local warps of faces share: drawing, placing on faces, applying."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float, Int, Shaped
from torch import Tensor, nn

from contrawarp_edge.align.crop import CropContract
from lightly_contrawarp.transforms.geometry.bumps import (
    WarpParameters,
    limit_to_bijection,
    lipschitz_bound,
)
from lightly_contrawarp.transforms.geometry.landmarks import (
    similarity,
    template_points,
    turn,
)
from lightly_contrawarp.transforms.geometry.sampling_grid import (
    identity_affine,
    sample,
    sampling_grid,
)


class Source(NamedTuple):
    """Where random numbers come from, and what they shall be.

    Attributes:
        generator: Source of randomness; torch's global one if ``None``.
        device: Where they shall be; the generator's device too.
        dtype: Their floating type.
    """

    generator: torch.Generator | None
    device: torch.device | str
    dtype: torch.dtype

    def uniform(self, bounds: tuple[float, float], *shape: int) -> Tensor:
        """Numbers between two bounds."""
        shares = torch.rand(
            shape, generator=self.generator, device=self.device, dtype=self.dtype
        )
        return between(bounds, shares)

    def normal(self, *shape: int) -> Tensor:
        """Numbers of mean 0 and standard deviation 1."""
        return torch.randn(
            shape, generator=self.generator, device=self.device, dtype=self.dtype
        )


def between(
    bounds: tuple[float, float], shares: Float[Tensor, "*s"]
) -> Float[Tensor, "*s"]:
    """Numbers from the lower bound, at a share of 0, to the upper one, at 1."""
    low, high = bounds
    return low + (high - low) * shares


class DrawnBumps(NamedTuple):
    """Bumps on a face that sits as the contract says.

    Attributes:
        bumps: Their centres are relative to landmarks.
        landmarks: The landmark of each bump, by its place in ``crop.landmarks``; if
            ``None``, centres are places in the image.
    """

    bumps: WarpParameters
    landmarks: Int[Tensor, "b k"] | None


class FaceWarp(nn.Module, ABC):
    """Changes the expression of a face by a few smooth local displacements.

    Each image gets warps of its own. Lengths are in units of the face: multiples of
    the distance between the eyes in the crop contract. A draw that could fold is
    scaled down until it cannot, so many or strong bumps end up weaker than asked
    for; :meth:`strength_of` tells what was applied.

    Attributes:
        names: The actions that :class:`WarpParameters` tell of, in their order.
        crop: The crop contract of the images.
    """

    names: tuple[str, ...] = ()

    def __init__(self, crop: CropContract) -> None:
        """Stores the contract."""
        super().__init__()
        self.crop = crop

    @abstractmethod
    def _draw_bumps(self, batch: int, source: Source, own: bool) -> DrawnBumps:
        """Draws the bumps of each warp, whether or not they fold.

        Args:
            batch: Number of warps.
            source: What to draw from.
            own: Whether faces have landmarks of their own.
        """

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
            Parameters of ``batch`` warps of as many bumps each.

        Raises:
            ValueError: If ``landmarks`` has the wrong shape.
        """
        frames = [] if landmarks is None else [landmarks]
        return self._draw(batch, frames, Source(generator, device, dtype))[0]

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
        source = Source(generator, device, dtype)
        return self._draw(len(landmarks[0]), landmarks, source)

    def _draw(
        self, batch: int, frames: Sequence[Float[Tensor, "b p 2"]], source: Source
    ) -> list[WarpParameters]:
        """Draws warps for frames with landmarks, or for the contract without."""
        template = template_points(self.crop).to(source.device, source.dtype)
        for points in frames:
            if points.shape != (batch, *template.shape):
                raise ValueError(
                    f"landmarks must have shape {[batch, *template.shape]}, in the "
                    f"order of crop.landmarks, got {list(points.shape)}"
                )
        bumps, chosen = self._draw_bumps(batch, source, own=bool(frames))
        if chosen is None:
            return [limit_to_bijection(bumps)]
        if not frames:  # the face is where the contract says
            centers = template[chosen] + bumps.centers
            return [limit_to_bijection(bumps._replace(centers=centers))]
        placed = []
        for points in frames:
            points = points.to(source.device, source.dtype)
            factor = similarity(template, points)
            features = points.gather(1, chosen[..., None].expand(-1, -1, 2))
            placed.append(
                WarpParameters(
                    features + turn(bumps.centers, factor),
                    bumps.radii * factor.norm(dim=1, keepdim=True),
                    turn(bumps.vectors, factor),
                    bumps.actions,
                )
            )
        # A warp that could fold in one frame is weakened in all of them.
        steepness = torch.stack([lipschitz_bound(one) for one in placed]).amax(0)
        return [limit_to_bijection(one, steepness=steepness) for one in placed]

    def strength_of(self, parameters: WarpParameters) -> Float[Tensor, " b"]:
        """Mean displacement by the moving bumps of each warp, in eye distances."""
        lengths = parameters.vectors.square().sum(-1).sqrt()
        moving = (lengths > 0).sum(-1).clamp_min(1)
        return lengths.sum(-1) / moving / self.crop.interocular

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
