"""The views of ``ContraWarpTransform`` for a whole batch, on the device it is on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torchvision.transforms.v2 import functional as TF

from lightly_contrawarp.transforms.bumps import WarpParameters
from lightly_contrawarp.transforms.contrawarp_transform import ContraWarpTransform
from lightly_contrawarp.transforms.photometry import (
    Photometry,
    apply_photometry_,
    draw_photometry,
    to_device,
)
from lightly_contrawarp.transforms.pixels import to_unit_range
from lightly_contrawarp.transforms.sampling_grid import coarse_source, sample, upsample
from lightly_contrawarp.transforms.view_transform import ContraWarpViewTransform

_VALUES_AT_A_TIME = 1 << 21
"""What a CPU works on at a time: 8 MB, which stay in its cache."""


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
        """Takes the settings of the per-image transform.

        Raises:
            ValueError: If its views differ in size or normalisation.
        """
        super().__init__()
        first: ContraWarpViewTransform = transform.transforms[0]
        for view in transform.transforms:
            if (view.geometric.input_size, view.normalize) != (
                first.geometric.input_size,
                first.normalize,
            ):
                raise ValueError("all views need the same input_size and normalize")
        self.transform = transform
        self.size = first.geometric.input_size
        self.normalize = first.normalize
        self._range_is_known = False

    @torch.no_grad()
    def forward(
        self,
        images: Tensor,
        landmarks: Tensor | None = None,
        neighbours: Tensor | None = None,
    ) -> list[Tensor]:
        """Makes the views of each image.

        Args:
            images: ``[B, 1 or 3, H, W]`` of uint8, of uint16 (0 to 65535), or floating
                with values in [0, 1].
            landmarks: Landmarks to warp around instead of the contract's, float
                ``[B, P, 2]`` as for :meth:`LocalWarp.draw`; with neighbours those of
                both, ``[B, 2, P, 2]``. Best on the CPU, where parameters are drawn.
            neighbours: Another frame of each face for the second view of each pair,
                like ``images``.

        Returns:
            List of float32 ``[B, 3, input_size, input_size]``, in the order of
            ``ContraWarpTransform``.

        Raises:
            ValueError: If ``images`` or ``landmarks`` has another shape, or images are
                of another type or range. On a GPU, which is not to be waited for, only
                the range of the first batch is looked at.
        """
        for frame in (images, images if neighbours is None else neighbours):
            if frame.ndim != 4 or frame.shape[1] not in (1, 3):
                raise ValueError(
                    f"images must be [B, 1 or 3, H, W], got {list(frame.shape)}"
                )
        with _float32_by_default():
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
        with _float32_by_default():
            return self._views(images, warps, neighbours)

    def _views(
        self,
        images: Tensor,
        warps: Sequence[WarpParameters],
        neighbours: tuple[Tensor, Sequence[WarpParameters]] | None,
    ) -> list[Tensor]:
        settings = self.transform
        drawn = self._draw_geometry(images)
        photometry = draw_photometry(settings.transforms, len(images))
        shape = len(settings.faces), len(images), 3, self.size, self.size
        looks = torch.empty(shape, device=images.device)
        order: list[int] = []
        frames = settings.frames if neighbours else [0] * len(settings.faces)
        sources = [(images, warps), *([neighbours] if neighbours else [])]
        # In 16 bits, a sampling grid would be off by half a pixel.
        with torch.autocast(images.device.type, enabled=False):
            for frame, (source, moved) in enumerate(sources):
                views = [view for view, shown in enumerate(frames) if shown == frame]
                out = looks[len(order) :][: len(views)]
                order += views
                bumps = zip(*(moved[settings.faces[v]] for v in views), strict=True)
                self._show(
                    source,
                    drawn[:, views],
                    WarpParameters(*(torch.stack(part, 1) for part in bumps)),
                    photometry.select((slice(None), views)),
                    out,
                )
        self._range_is_known = images.device.type != "cpu"
        return [looks[order.index(view)] for view in range(len(order))]

    def _show(
        self,
        images: Tensor,
        affine: Tensor,
        warp: WarpParameters,
        photometry: Photometry,
        out: Tensor,
    ) -> None:
        """Writes views ``[V, B, 3, size, size]`` of what was drawn, ``[B, V, ...]``."""
        size = self._source_size(images, affine)
        for part in self._parts(images):
            source = to_unit_range(images[part], not self._range_is_known)
            if list(source.shape[-2:]) != size:
                source = TF.resize(source, size, antialias=True)
            looks = self._looks(source, affine[part], warp.select(part))
            apply_photometry_(looks, photometry.select(part))
            self._normalize(looks, out=out[:, part])

    def _draw_geometry(self, images: Tensor) -> Tensor:
        """Draws the affine maps of the views, ``[B, V, 2, 3]``, on the CPU."""
        height, width = images.shape[-2:]
        views: Sequence[ContraWarpViewTransform] = self.transform.transforms
        flips = None
        if self.transform.share_flip:
            flips = views[0].geometric.geometry.draw_flips(len(images))
        drawn = [
            view.geometric.geometry.draw(len(images), width / height, flips)
            for view in views
        ]
        return torch.stack(drawn, dim=1)

    def _parts(self, images: Tensor) -> list[slice]:
        """The images to work on at a time: all, but for a CPU."""
        count = len(images)
        if images.device.type == "cpu":
            values = len(self.transform.faces) * images.shape[1] * self.size**2
            count = max(1, _VALUES_AT_A_TIME // values)
        return [slice(i, i + count) for i in range(0, len(images), count)]

    def _source_size(self, images: Tensor, affine: Tensor) -> list[int]:
        """The size to read images in: none is shrunk below what a view shows."""
        height, width = images.shape[-2:]
        extent = affine[..., :2].norm(dim=-1) * affine.new_tensor([width, height])
        scale = float(self.size / extent.amin())
        if scale >= 0.95:
            return [height, width]
        return [max(1, round(height * scale)), max(1, round(width * scale))]

    def _looks(self, source: Tensor, affine: Tensor, warp: WarpParameters) -> Tensor:
        """Applies global geometry and warp in one resampling.

        Args:
            source: Float ``[B, C, H, W]``.
            affine: Maps of the views, ``[B, V, 2, 3]``, on the CPU.
            warp: Warps ``[B, V, ...]``, on the CPU.

        Returns:
            Float ``[B, C, V, size, size]`` in [0, 1].
        """
        views = affine.shape[1]
        affine, *bumps = (
            to_device(drawn.flatten(0, 1), source.device) for drawn in (affine, *warp)
        )
        coarse = coarse_source(affine, WarpParameters(*bumps))
        # All views of an image as one tall picture, which reads the image once.
        coarse = coarse.reshape(-1, views, *coarse.shape[1:]).transpose(1, 2)
        planes = upsample(coarse, (self.size, self.size)).flatten(2, 3)
        looks = sample(source, planes.permute(0, 2, 3, 1))
        return looks.reshape(*looks.shape[:2], views, self.size, self.size)

    def _normalize(self, looks: Tensor, out: Tensor) -> None:
        """Writes ``[B, C, V, S, S]`` to ``[V, B, 3, S, S]``."""
        out.copy_(looks.movedim(2, 0))
        if self.normalize:
            for channel, (mean, std) in enumerate(
                zip(self.normalize["mean"], self.normalize["std"], strict=True)
            ):
                out[:, :, channel].sub_(mean).div_(std)


@contextmanager
def _float32_by_default() -> Iterator[None]:
    """Draws in 32 bits also where a trainer computes in others (``bf16-true``)."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float32)
    try:
        yield
    finally:
        torch.set_default_dtype(before)
