"""All views of a batch of images: drawn on the CPU, made where the images are."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Float, Float32, Shaped
from torch import Tensor
from torchvision.transforms.v2 import functional as TF

from lightly_contrawarp.transforms.colour.adjust import adjust_, to_device
from lightly_contrawarp.transforms.colour.photometry import (
    Photometry,
    PhotometryParameters,
    draw_photometry,
)
from lightly_contrawarp.transforms.colour.pixels import to_unit_range
from lightly_contrawarp.transforms.geometry.bumps import WarpParameters
from lightly_contrawarp.transforms.geometry.global_geometry import GlobalGeometry
from lightly_contrawarp.transforms.geometry.sampling_grid import (
    coarse_source,
    sample,
    upsample,
)

_VALUES_AT_A_TIME = 1 << 21
"""What a CPU works on at a time: 8 MB, which stay in its cache."""

_NEARLY_WHOLE = 0.95
"""Images that are to be shrunk by less are read as they are."""


@dataclass(frozen=True)
class ViewSettings:
    """What a view is drawn from.

    Attributes:
        input_size: Height and width of the view in pixels.
        geometry: Ranges of crop, flips and rotation.
        photometry: Ranges of the colour changes.
        normalize: ``mean`` and ``std`` of the three channels, or ``None``.
    """

    input_size: int
    geometry: GlobalGeometry
    photometry: Photometry
    normalize: dict[str, list[float]] | None


class View(NamedTuple):
    """A view to make of each image of a batch.

    Attributes:
        settings: What it is drawn from.
        frame: Which of the given frames it shows.
        warp: A warp of each image, of as many bumps as those of the other views.
    """

    settings: ViewSettings
    frame: int
    warp: WarpParameters


class ViewParameters(NamedTuple):
    """What was drawn for the views of each image, on the CPU.

    Attributes:
        affine: Maps from a view to its frame.
        photometry: Colour changes of the views of each image, ``[b, v]``.
    """

    affine: Float32[Tensor, "b v 2 3"]
    photometry: PhotometryParameters


@contextmanager
def float32_by_default() -> Iterator[None]:
    """Draws in 32 bits also where a trainer computes in others (``bf16-true``)."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float32)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


def draw_views(
    frames: Sequence[Shaped[Tensor, "b c h w"]],
    views: Sequence[View],
    flips: Float[Tensor, "b 2"] | None = None,
) -> ViewParameters:
    """Draws geometry and colours from torch's global generator.

    Args:
        frames: One or more pictures of each face.
        views: The views to draw.
        flips: Flips that all views of an image share, +1 or -1; each view has its own
            if ``None``.

    Returns:
        Parameters of each view. Only the order of the jitter steps is one for all.
    """
    batch = len(frames[0])
    affine = torch.empty(batch, len(views), 2, 3)
    alike = defaultdict(list)
    for place, view in enumerate(views):
        alike[view.settings.geometry, _aspect(frames[view.frame])].append(place)
    for (geometry, aspect), places in alike.items():
        shared = None if flips is None else flips.repeat_interleave(len(places), dim=0)
        maps = geometry.draw(batch * len(places), aspect, shared)
        affine[:, places] = maps.reshape(batch, len(places), 2, 3)
    photometry = draw_photometry([view.settings.photometry for view in views], batch)
    return ViewParameters(affine, photometry)


@torch.no_grad()
def show_views(
    frames: Sequence[Shaped[Tensor, "b c h w"]],
    views: Sequence[View],
    drawn: ViewParameters,
    check_values: bool = True,
) -> list[Float32[Tensor, "b 3 s s"]]:
    """Makes views as they were drawn.

    Args:
        frames: As for :func:`draw_views`; of 1 or 3 channels, of uint8, of uint16 (0
            to 65535), or floating with values in [0, 1]. Grey ones stay one channel
            until the end, which halves the time.
        views: The views to make. Those of one size that need their frame in about the
            same size are made together.
        drawn: Their parameters.
        check_values: Whether to look at floating values; a GPU is waited for then.

    Returns:
        The views, ``input_size`` of their settings a side.

    Raises:
        InputError: If images are of another type, or of another range.
    """
    together = defaultdict(list)
    scales = _scales(frames, views, drawn.affine)
    for place, (view, scale) in enumerate(zip(views, scales, strict=True)):
        half_octave = min(0, math.ceil(2 * math.log2(scale)))
        together[view.frame, view.settings.input_size, half_octave].append(place)
    made: dict[int, Tensor] = {}
    # In 16 bits, a sampling grid would be off by half a pixel.
    with torch.autocast(frames[0].device.type, enabled=False):
        for (frame, *_), places in together.items():
            chosen = [views[place] for place in places]
            some = ViewParameters(
                drawn.affine[:, places],
                drawn.photometry.select((slice(None), places)),
            )
            scale = max(scales[place] for place in places)
            looks = _show(frames[frame], chosen, some, scale, check_values)
            made.update(zip(places, looks, strict=True))
    return [made[place] for place in range(len(views))]


def _show(
    images: Shaped[Tensor, "b c h w"],
    views: Sequence[View],
    drawn: ViewParameters,
    scale: float,
    check_values: bool,
) -> Float32[Tensor, "v b 3 s s"]:
    """Views of one size and of the same images, which are shrunk to a scale first."""
    size = views[0].settings.input_size
    bumps = zip(*(view.warp for view in views), strict=True)
    warp = WarpParameters(*(torch.stack(part, dim=1) for part in bumps))
    source_size = [max(1, round(scale * side)) for side in images.shape[-2:]]
    out = torch.empty(len(views), len(images), 3, size, size, device=images.device)
    for part in _parts(images, len(views) * size**2):
        source = to_unit_range(images[part], check_values)
        if scale < _NEARLY_WHOLE:
            source = TF.resize(source, source_size, antialias=True)
        looks = _resample(source, drawn.affine[part], warp.select(part), size)
        adjust_(looks, drawn.photometry.select(part))
        out[:, part] = looks.movedim(2, 0)
    for view, look in zip(views, out, strict=True):
        _normalize_(look, view.settings.normalize)
    return out


def _aspect(images: Tensor) -> float:
    """Width over height."""
    return images.shape[-1] / images.shape[-2]


def _parts(images: Tensor, pixels: int) -> list[slice]:
    """The images to work on at a time: all, but for a CPU."""
    count = len(images)
    if images.device.type == "cpu":
        count = max(1, _VALUES_AT_A_TIME // (images.shape[1] * pixels))
    return [slice(i, i + count) for i in range(0, len(images), count)]


def _scales(
    frames: Sequence[Shaped[Tensor, "b c h w"]],
    views: Sequence[View],
    affine: Float[Tensor, "b v 2 3"],
) -> list[float]:
    """For each view, the scale at which no frame has fewer pixels than it shows.

    ``grid_sample`` reads four pixels only, so a source with much more detail than the
    view would alias.
    """
    extents = affine[..., :2].norm(dim=-1).amin(dim=0).tolist()
    scales = []
    for view, (across, down) in zip(views, extents, strict=True):
        height, width = frames[view.frame].shape[-2:]
        scales.append(view.settings.input_size / min(across * width, down * height))
    return scales


def _resample(
    source: Float[Tensor, "b c h w"],
    affine: Float[Tensor, "b v 2 3"],
    warp: WarpParameters,
    size: int,
) -> Float[Tensor, "b c v s s"]:
    """Applies global geometry and warp in one resampling.

    Args:
        source: In [0, 1].
        affine: Maps of the views, on the CPU.
        warp: Warps of the views, likewise.
        size: Height and width of a view.

    Returns:
        The views, in [0, 1].
    """
    views = affine.shape[1]
    affine, *placed = (
        to_device(drawn.flatten(0, 1), source.device) for drawn in (affine, *warp)
    )
    coarse = coarse_source(affine, WarpParameters(*placed))
    # All views of an image as one tall picture, which reads the image once.
    coarse = coarse.reshape(-1, views, *coarse.shape[1:]).transpose(1, 2)
    planes = upsample(coarse, (size, size)).flatten(2, 3)
    looks = sample(source, planes.permute(0, 2, 3, 1))
    return looks.reshape(*looks.shape[:2], views, size, size)


def _normalize_(
    images: Float[Tensor, "b 3 s s"], normalize: dict[str, list[float]] | None
) -> None:
    """Normalises in place, with numbers that no GPU waits for."""
    if normalize:
        numbers = zip(normalize["mean"], normalize["std"], strict=True)
        for channel, (mean, std) in enumerate(numbers):
            images[:, channel].sub_(mean).div_(std)
