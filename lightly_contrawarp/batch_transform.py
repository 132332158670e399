"""The views of ``ContraWarpTransform`` for a whole batch, on the device it is on."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from kornia import enhance
from kornia.color import rgb_to_grayscale
from kornia.filters import gaussian_blur2d
from torch import Tensor, nn
from torchvision.transforms.v2 import functional as TF

from lightly_contrawarp.transform import ContraWarpTransform
from lightly_contrawarp.views import ContraWarpViewTransform
from lightly_contrawarp.warp import WarpParameters, sample, sampling_grid


class Photometry(NamedTuple):
    """Drawn colour changes of a batch; all tensors are ``[B]``.

    Attributes:
        order: Order of brightness, contrast, saturation and hue, for the whole batch.
        factors: Brightness, contrast, saturation factor, and hue shift in radians;
            those that change nothing where an image is not jittered.
        gray: Which images lose their colour.
        sigma: Standard deviation of the blur in pixels; 0 for none.
        solarized: Which images are solarised.
    """

    order: list[int]
    factors: tuple[Tensor, Tensor, Tensor, Tensor]
    gray: Tensor
    sigma: Tensor
    solarized: Tensor


class ContraWarpBatchTransform(nn.Module):
    """Makes all views of a batch at once, several times faster than image by image.

    The views are those of a :class:`ContraWarpTransform`: each image has parameters
    of its own, and geometry and warp are one resampling. Only the order of the jitter
    steps is shared by a batch. Parameters are drawn on the CPU from torch's global
    generator, so the views do not depend on the device. Grey images stay one channel
    until the end, which halves the time.

    Examples:
        >>> from lightly_contrawarp import ContraWarpTransform
        >>> views = ContraWarpBatchTransform(ContraWarpTransform(64))
        >>> faces = torch.randint(0, 256, (8, 3, 72, 72), dtype=torch.uint8)
        >>> len(views(faces)), views(faces)[0].shape
        (4, torch.Size([8, 3, 64, 64]))
    """

    def __init__(self, transform: ContraWarpTransform) -> None:
        """Takes the settings of the per-image transform."""
        super().__init__()
        self.transform = transform

    @torch.no_grad()
    def forward(
        self,
        images: Tensor,
        landmarks: Tensor | None = None,
        neighbours: Tensor | None = None,
    ) -> list[Tensor]:
        """Makes the views of each image.

        Args:
            images: uint8, or float in [0, 1], ``[B, 1 or 3, H, W]``.
            landmarks: Landmarks to warp around instead of the contract's, float
                ``[B, P, 2]`` as for :meth:`LocalWarp.draw`; with neighbours those of
                both, ``[B, 2, P, 2]``. Best on the CPU, where parameters are drawn.
            neighbours: Another frame of each face for the second view of each pair,
                like ``images``.

        Returns:
            List of float32 ``[B, 3, input_size, input_size]``, in the order of
            ``ContraWarpTransform``.

        Raises:
            ValueError: If ``images`` or ``landmarks`` has another shape.
        """
        for frame in (images, images if neighbours is None else neighbours):
            if frame.ndim != 4 or frame.shape[1] not in (1, 3):
                raise ValueError(
                    f"images must be [B, 1 or 3, H, W], got {list(frame.shape)}"
                )
        warps = self.transform.draw_warps(len(images), landmarks)
        second = None if neighbours is None else (neighbours, warps[-1])
        return self.views(images, warps[0], second)

    @torch.no_grad()
    def views(
        self,
        images: Tensor,
        warps: Sequence[WarpParameters],
        neighbours: tuple[Tensor, Sequence[WarpParameters]] | None = None,
    ) -> list[Tensor]:
        """Makes the views of each image with given warps.

        Args:
            images: As for ``forward``.
            warps: The ``1 + K`` warps to show, each of a batch of B.
            neighbours: Another frame of each face and its ``1 + K`` warps, for the
                second view of each pair; the images themselves if ``None``.

        Returns:
            As ``forward``.
        """
        shown = [(_to_float(images), warps)] * 2
        if neighbours:
            shown[1] = _to_float(neighbours[0]), neighbours[1]
        settings = self.transform
        first: ContraWarpViewTransform = settings.transforms[0]
        flips = None
        if settings.share_flip:
            flips = first.geometric.geometry.draw_flips(len(images))
        views = []
        for view, face, frame in zip(
            settings.transforms, settings.faces, settings.frames, strict=True
        ):
            source, moved = shown[frame]
            look = self._look(source, view, moved[face], flips)
            photometry = draw_photometry(view, len(images))
            views.append(_normalize(apply_photometry(look, photometry), view))
        return views

    @staticmethod
    def _look(
        source: Tensor,
        view: ContraWarpViewTransform,
        warp: WarpParameters,
        flips: Tensor | None,
    ) -> Tensor:
        """Applies global geometry and warp in one resampling."""
        height, width = source.shape[-2:]
        size = view.geometric.input_size
        geometry = view.geometric.geometry
        affine = geometry.draw(len(source), width / height, flips).to(source.device)
        extent = affine[:, :, :2].norm(dim=2) * affine.new_tensor([width, height])
        # One size for the batch: no image is shrunk below what its view shows.
        scale = float(size / extent.amin())
        if scale < 0.95:
            smaller = [max(1, round(height * scale)), max(1, round(width * scale))]
            source = TF.resize(source, smaller, antialias=True)
        warp = WarpParameters(*(tensor.to(source.device) for tensor in warp))
        return sample(source, sampling_grid(affine, (size, size), warp))


def draw_photometry(view: ContraWarpViewTransform, batch: int) -> Photometry:
    """Draws the colour changes of one view for each image of a batch."""
    jittered = torch.rand(batch) < view.cj_prob

    def factor(bounds: tuple[float, float] | None, neutral: float) -> Tensor:
        low, high = bounds or (neutral, neutral)
        drawn = low + (high - low) * torch.rand(batch)
        return torch.where(jittered, drawn, torch.full_like(drawn, neutral))

    jitter, (low, high) = view.jitter, view.blur.sigmas
    factors = (
        factor(jitter.brightness, 1.0),
        factor(jitter.contrast, 1.0),
        factor(jitter.saturation, 1.0),
        factor(jitter.hue, 0.0) * 2 * math.pi,
    )
    blurred = torch.rand(batch) < view.blur.prob
    return Photometry(
        order=torch.randperm(4).tolist(),
        factors=factors,
        gray=torch.rand(batch) < view.random_gray_scale,
        sigma=(low + (high - low) * torch.rand(batch)) * blurred,
        solarized=torch.rand(batch) < view.solarize.prob,
    )


_ADJUST = (
    enhance.adjust_brightness_accumulative,
    enhance.adjust_contrast_with_mean_subtraction,
    enhance.adjust_saturation_with_gray_subtraction,
    enhance.adjust_hue,
)
_OF_COLOR = (2, 3)  # positions in _ADJUST of what a grey image does not show


def apply_photometry(images: Tensor, drawn: Photometry) -> Tensor:
    """Applies drawn colour changes.

    Args:
        images: Float ``[B, 1 or 3, H, W]`` in [0, 1].
        drawn: Changes of ``B`` images; those of colour leave grey images alone.

    Returns:
        Float of the same shape, in [0, 1].
    """
    device, is_gray = images.device, images.shape[1] == 1
    for step in drawn.order:
        factor = drawn.factors[step]
        if is_gray and step in _OF_COLOR:
            continue
        if (factor != (0.0 if step == 3 else 1.0)).any():
            images = _ADJUST[step](images, factor.to(device))
    if drawn.gray.any() and not is_gray:
        gray = drawn.gray.to(device)[:, None, None, None]
        images = torch.where(gray, rgb_to_grayscale(images), images)
    blurred = drawn.sigma.nonzero()[:, 0]
    if len(blurred):
        sigma = drawn.sigma[blurred]
        size = 2 * math.ceil(3 * float(sigma.max())) + 1
        size = min(size, 2 * ((min(images.shape[-2:]) - 1) // 2) + 1)
        sigmas = sigma[:, None].expand(-1, 2).to(device)
        index = blurred.to(device)
        images = images.index_copy(
            0, index, gaussian_blur2d(images[index], (size, size), sigmas)
        )
    if drawn.solarized.any():
        # kornia's solarise adds and clamps; BYOL's inverts what is bright.
        bright = drawn.solarized.to(device)[:, None, None, None] & (images >= 128 / 255)
        images = torch.where(bright, 1 - images, images)
    return images


def _to_float(images: Tensor) -> Tensor:
    return (images if images.is_floating_point() else images / 255).float()


def _normalize(images: Tensor, view: ContraWarpViewTransform) -> Tensor:
    images = images.expand(-1, 3, -1, -1)
    if not view.normalize:
        return images
    normalized: Tensor = TF.normalize(
        images, view.normalize["mean"], view.normalize["std"]
    )
    return normalized
