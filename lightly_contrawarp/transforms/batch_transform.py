"""The views of ``ContraWarpTransform`` for a whole batch, on the device it is on."""

from __future__ import annotations

from collections.abc import Sequence

from jaxtyping import Float, Float32, Shaped
from torch import Tensor, nn

from contrawarp_edge.core.errors import InputError
from lightly_contrawarp.transforms.colour.adjust import to_device
from lightly_contrawarp.transforms.contrawarp_transform import ContraWarpTransform
from lightly_contrawarp.transforms.geometry.bumps import WarpParameters


class ContraWarpBatchTransform(nn.Module):
    """Makes all views of a batch at once, several times faster than image by image.

    The views are those of a :class:`ContraWarpTransform`: each image has parameters
    of its own, and geometry and warp are one resampling. Only the order of the jitter
    steps, and the size to which large images are shrunk first, are those of a batch.
    Parameters are drawn on the CPU from torch's global generator, so the views do not
    depend on the device. Grey images stay one channel until the end, which halves the
    time.

    Examples:
        >>> import torch
        >>> from lightly_contrawarp import ContraWarpTransform
        >>> views = ContraWarpBatchTransform(ContraWarpTransform(64))
        >>> faces = torch.randint(0, 256, (8, 3, 72, 72), dtype=torch.uint8)
        >>> *four, actions = views(faces)
        >>> len(four), four[0].shape, actions.shape
        (4, torch.Size([8, 3, 64, 64]), torch.Size([8, 1, 10]))
    """

    def __init__(self, transform: ContraWarpTransform) -> None:
        """Takes the settings of the per-image transform."""
        super().__init__()
        self.transform = transform
        self._range_is_known = False

    def forward(
        self,
        images: Shaped[Tensor, "b c h w"],
        landmarks: Float[Tensor, "b p 2"] | Float[Tensor, "b 2 p 2"] | None = None,
        neighbours: Shaped[Tensor, "b c h w"] | None = None,
    ) -> list[Float32[Tensor, "b 3 s s"] | Float32[Tensor, "b m a"]]:
        """Makes the views of each image.

        Args:
            images: Of 1 or 3 channels, of uint8, of uint16 (0 to 65535), or floating
                with values in [0, 1].
            landmarks: Landmarks to warp around instead of the contract's, as for
                :meth:`FaceWarp.draw`; with neighbours those of both. Best on the CPU,
                where parameters are drawn.
            neighbours: Another frame of each face, shown as ``ContraWarpTransform``
                does, like ``images``.

        Returns:
            The views, ``input_size`` a side, in the order of ``ContraWarpTransform``;
            then what the warps did, if they have names for it, on the device of the
            images, which is not waited for.

        Raises:
            InputError: If ``images`` or ``neighbours`` has another shape, type or
                range. On a GPU, which is not to be waited for, only the range of the
                first batch is looked at.
            ValueError: If ``landmarks`` has another shape.
        """
        for frame in (images, images if neighbours is None else neighbours):
            if frame.ndim != 4 or frame.shape[1] not in (1, 3):
                raise InputError(
                    f"images must be [B, 1 or 3, H, W], got {list(frame.shape)}"
                )
        warps = self.transform.draw_warps(len(images), landmarks)
        second = None if neighbours is None else (neighbours, warps[-1])
        views = self.views(images, warps[0], second)
        actions = self.transform.actions(warps[0])
        return [*views, *(to_device(one, images.device) for one in actions)]

    def views(
        self,
        images: Shaped[Tensor, "b c h w"],
        warps: Sequence[WarpParameters],
        neighbours: tuple[Shaped[Tensor, "b c h w"], Sequence[WarpParameters]]
        | None = None,
    ) -> list[Float32[Tensor, "b 3 s s"]]:
        """Makes the views of each image with given warps.

        Args:
            images: As for ``forward``.
            warps: The ``1 + K`` warps to show, each of the whole batch.
            neighbours: Another frame of each face and its ``1 + K`` warps; the images
                themselves if ``None``.

        Returns:
            The views alone.
        """
        on_cpu = images.device.type == "cpu"
        check = on_cpu or not self._range_is_known
        views = self.transform.batch_views(images, warps, neighbours, check)
        self._range_is_known |= not on_cpu
        return views
