"""Reading an image once, through an affine view and a local warp together."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from lightly_contrawarp.transforms.geometry.bumps import WarpParameters, bump_field

_COARSE = 32  # nodes of the coarse field a side, two of them beyond the image


@lru_cache(maxsize=8)
def _coarse_nodes(dtype: torch.dtype, device: torch.device) -> Float[Tensor, "3 p"]:
    """The nodes of the coarse grid as columns ``(x, y, 1)``."""
    nodes = (torch.arange(_COARSE, dtype=dtype, device=device) - 1) / (_COARSE - 3)
    ys, xs = torch.meshgrid(nodes, nodes, indexing="ij")
    return torch.stack([xs, ys, torch.ones_like(xs)]).flatten(1)


@lru_cache(maxsize=32)
def _upsampling_matrix(
    size: int, dtype: torch.dtype, device: torch.device
) -> Float[Tensor, "size nodes"]:
    """Catmull-Rom weights from coarse nodes to pixel centres.

    The kernel is Keys' with a = -1/2, the one that reproduces quadratics.
    """
    position = (np.arange(size) + 0.5) / size * (_COARSE - 3) + 1
    t = np.abs(position[:, None] - np.arange(_COARSE))
    near = 1.5 * t**3 - 2.5 * t**2 + 1
    far = -0.5 * t**3 + 2.5 * t**2 - 4 * t + 2
    weights = np.where(t < 1, near, np.where(t < 2, far, 0.0))
    return torch.from_numpy(weights).to(device=device, dtype=dtype)


def sampling_grid(
    affine: Float[Tensor, "b 2 3"],
    size: tuple[int, int],
    parameters: WarpParameters | None = None,
) -> Float[Tensor, "b h w 2"]:
    """Composes an affine view and a local warp into one sampling grid.

    The warp acts on the source and the affine map views the result: the output at
    ``y`` shows the source at ``phi(A y)``. The field is evaluated on a coarse grid of
    the output and upsampled, which leaves the affine part as it is.

    Args:
        affine: Maps output to source coordinates.
        size: Height and width of the output in pixels.
        parameters: The warps, or ``None`` for none.

    Returns:
        Grid for ``grid_sample(..., align_corners=False)``, not contiguous.
    """
    # In 16 bits, it would be off by half a pixel.
    with torch.autocast(affine.device.type, enabled=False):
        planes = upsample(coarse_source(affine, parameters), size)
    return planes.permute(0, 2, 3, 1)  # planes are what grid_sample reads fastest


def coarse_source(
    affine: Float[Tensor, "b 2 3"], parameters: WarpParameters | None = None
) -> Float[Tensor, "b 2 nodes nodes"]:
    """Where the nodes of a coarse grid of the output lie in the source.

    Args:
        affine: Maps output to source coordinates.
        parameters: The warps, or ``None`` for none.

    Returns:
        Planes of x and y in ``grid_sample``'s coordinates, -1 to 1.
    """
    source = affine @ _coarse_nodes(affine.dtype, affine.device)
    if parameters is not None:
        source = source + bump_field(source.mT, parameters).mT
    return (2 * source - 1).reshape(-1, 2, _COARSE, _COARSE)


def upsample(
    coarse: Float[Tensor, "*b nodes nodes"], size: tuple[int, int]
) -> Float[Tensor, "*b h w"]:
    """Interpolates a coarse grid at the pixels of the output, exactly where linear.

    Two matrix products are all that touches every pixel.

    Args:
        coarse: Planes of :func:`coarse_source`.
        size: Height and width of the output in pixels.
    """
    height, width = size
    across = _upsampling_matrix(width, coarse.dtype, coarse.device)
    down = _upsampling_matrix(height, coarse.dtype, coarse.device)
    return (down @ coarse) @ across.mT


def sample(
    images: Float[Tensor, "b c h w"], grid: Float[Tensor, "b out_h out_w 2"]
) -> Float[Tensor, "b c out_h out_w"]:
    """Reads images at a sampling grid, once, bilinearly; beyond the rim they mirror.

    Args:
        images: Of any range.
        grid: From :func:`sampling_grid`.

    Returns:
        What was read, differentiable in ``images`` and ``grid``.
    """
    return F.grid_sample(
        images, grid, mode="bilinear", padding_mode="reflection", align_corners=False
    )


def identity_affine(batch: int, like: Tensor) -> Float[Tensor, "b 2 3"]:
    """Affine maps that change nothing, typed and placed as ``like``."""
    one = torch.eye(2, 3, dtype=like.dtype, device=like.device)
    return one.expand(batch, -1, -1)
