"""``ContraWarpTransform``: all views of one image, by Lightly's contract."""

from __future__ import annotations

from collections.abc import Sequence

from jaxtyping import Float, Float32, Shaped
from lightly.transforms.multi_view_transform import MultiViewTransform
from PIL import Image
from torch import Tensor

from contrawarp_edge.core.ranges import check_range
from lightly_contrawarp.transforms.bumps import WarpParameters
from lightly_contrawarp.transforms.local_warp import LocalWarp
from lightly_contrawarp.transforms.pixels import batch_of_one
from lightly_contrawarp.transforms.view_transform import ContraWarpViewTransform
from lightly_contrawarp.transforms.views import (
    View,
    draw_views,
    float32_by_default,
    show_views,
)


class ContraWarpTransform(MultiViewTransform):  # type: ignore[misc]
    """Positives and locally warped negatives of one face, for ContraWarping [0].

    Paired, each of the ``num_negatives + 1`` faces, the unwarped one first, comes in
    two views: ``[view_0, view_1, warped_0, warped_0', warped_1, ...]``. Each warp is a
    positive of itself and a negative of the others, so that "looks warped" tells
    nothing, and only the particular geometry separates them.

    Unpaired, the views are ``[view_0, view_1, warped_0, ...]``: two views of the face
    as it is, and one of each of ``num_negatives`` warped faces.

    Unwarped views pass through the same sampler, with a field of zeros, so that no
    trace of resampling gives the negatives away.

    Input to this transform:
        PIL Image, or Tensor ``[c, h, w]``: uint8, uint16 (0 to 65535), or floating in
        [0, 1]. Other integers, NaN and other ranges raise ``InputError``.
    Output of this transform:
        List of float32 Tensors ``[3, input_size, input_size]``.

    All views of an image share the order of the jitter steps.

    - [0]: ContraWarping, 2023, https://arxiv.org/abs/2303.09034

    Attributes:
        transforms: One transform a view; called alone, each draws a warp of its own.
        faces: For each view, which of the image's faces it shows: 0 is the face as it
            is, k the k-th warped one.
        frames: For each view, which frame it shows: 0 is the image, 1 its neighbour,
            if one is given. That is the second view of each pair.

    Examples:
        >>> from PIL import Image
        >>> transform = ContraWarpTransform(num_negatives=1, paired=False)
        >>> views = transform(Image.new("RGB", (128, 128)))
        >>> [tuple(view.shape) for view in views]
        [(3, 112, 112), (3, 112, 112), (3, 112, 112)]
    """

    def __init__(
        self,
        input_size: int = 112,
        num_negatives: int = 1,
        paired: bool = True,
        share_flip: bool = True,
        warp: LocalWarp | None = None,
        view_1_transform: ContraWarpViewTransform | None = None,
        view_2_transform: ContraWarpViewTransform | None = None,
    ) -> None:
        """Initializes the transform.

        Args:
            input_size: Height and width of the default views in pixels.
            num_negatives: Number of warped faces an image, K, at least 0, which leaves
                BYOL's views.
            paired: Whether each warped face comes in two views instead of one.
            share_flip: Whether all views of an image share one draw of the flips; if
                not, an asymmetric warp and its mirror image mean the same.
            warp: Draws the warps; ``LocalWarp()`` by default.
            view_1_transform: Settings of the first view.
            view_2_transform: Settings of the second view and of unpaired negatives.

        Raises:
            InputError: If ``num_negatives`` is negative.
        """
        check_range("num_negatives", num_negatives, 0)
        first = view_1_transform or ContraWarpViewTransform(input_size)
        second = view_2_transform or ContraWarpViewTransform(input_size)
        self.num_negatives = num_negatives
        self.paired = paired
        self.share_flip = share_flip
        self.warp = warp or LocalWarp()
        warped = range(1, num_negatives + 1)
        self.faces = [0, 0, *(k for k in warped for _ in range(1 + paired))]
        self.frames = [0, 1, *([0, 1] if paired else [0]) * num_negatives]
        pair = [first, second]
        each = [view.with_warp(self.warp) for view in (pair if paired else [second])]
        super().__init__(transforms=[*pair, *each * num_negatives])

    def __call__(
        self,
        image: Image.Image | Shaped[Tensor, "c h w"],
        landmarks: Float[Tensor, "p 2"] | Float[Tensor, "2 p 2"] | None = None,
        neighbour: Image.Image | Shaped[Tensor, "c h w"] | None = None,
    ) -> list[Float32[Tensor, "3 s s"]]:
        """Makes all views of one image.

        Args:
            image: The face, cropped by the crop contract: PIL image of any mode, or
                tensor of 1 or 3 channels of uint8, of uint16 (0 to 65535) or floating
                with values in [0, 1].
            landmarks: Its landmarks, to warp around instead of the contract's, as for
                :meth:`LocalWarp.draw`; with a neighbour those of both.
            neighbour: Another frame of the same face, for the second view of each
                pair; like ``image``.

        Returns:
            ``2 + K`` views, or ``2 (1 + K)`` if paired, ``input_size`` a side.

        Raises:
            InputError: If a tensor has another shape, type or range.
            ValueError: If ``landmarks`` has another shape.
        """
        warps = self.draw_warps(1, None if landmarks is None else landmarks[None])
        second = None if neighbour is None else (neighbour, warps[-1])
        return self.views(image, warps[0], second)

    @float32_by_default()
    def draw_warps(
        self,
        batch: int,
        landmarks: Float[Tensor, "b p 2"] | Float[Tensor, "b 2 p 2"] | None = None,
    ) -> list[list[WarpParameters]]:
        """Draws the warps of a batch; the first is the face as it is.

        Args:
            batch: Number of images.
            landmarks: Landmarks of each image, or of each and its neighbour.

        Returns:
            For each frame that has landmarks of its own, or for all if none has, the
            ``1 + K`` warps, each of a batch of ``batch``.
        """
        count = 1 + self.num_negatives
        if landmarks is None:
            drawn = [[self.warp.draw(batch)] for _ in range(count)]
        else:
            frames = landmarks.unbind(1) if landmarks.ndim == 4 else [landmarks]
            drawn = [self.warp.draw_frames(frames) for _ in range(count)]
        return [[still.stilled(), *warps] for still, *warps in zip(*drawn, strict=True)]

    def draw_flips(self, batch: int) -> Float32[Tensor, "b 2"] | None:
        """Draws the flips that all views of an image share.

        Returns:
            Horizontal and vertical ones, +1 or -1; ``None`` if each view has its own.
        """
        geometry = self.transforms[0].settings.geometry
        return geometry.draw_flips(batch) if self.share_flip else None

    def views(
        self,
        image: Image.Image | Shaped[Tensor, "c h w"],
        warps: Sequence[WarpParameters],
        neighbour: tuple[
            Image.Image | Shaped[Tensor, "c h w"], Sequence[WarpParameters]
        ]
        | None = None,
    ) -> list[Float32[Tensor, "3 s s"]]:
        """Makes all views of one image with given warps.

        Args:
            image: As for calling the transform.
            warps: The ``1 + K`` warps to show, each of a batch of one.
            neighbour: Another frame and its ``1 + K`` warps, for the second view of
                each pair; the image itself if ``None``.

        Returns:
            As for calling the transform, in the order of ``faces``.
        """
        second = None
        if neighbour is not None:
            second = batch_of_one(neighbour[0]), neighbour[1]
        views = self.batch_views(batch_of_one(image), warps, second)
        return [view[0] for view in views]

    @float32_by_default()
    def batch_views(
        self,
        images: Shaped[Tensor, "b c h w"],
        warps: Sequence[WarpParameters],
        neighbours: tuple[Shaped[Tensor, "b c h w"], Sequence[WarpParameters]]
        | None = None,
        check_values: bool = True,
    ) -> list[Float32[Tensor, "b 3 s s"]]:
        """Makes all views of a batch of images with given warps.

        Args:
            images: Of 1 or 3 channels, of uint8, of uint16 (0 to 65535), or floating
                with values in [0, 1].
            warps: The ``1 + K`` warps to show, each of the whole batch.
            neighbours: Another frame of each face and its ``1 + K`` warps, for the
                second view of each pair; the images themselves if ``None``.
            check_values: Whether to look at floating values; a GPU is waited for then.

        Returns:
            The views, ``input_size`` a side, in the order of ``faces``.

        Raises:
            InputError: If images are of another type or range.
        """
        shown = [(images, warps), *([neighbours] if neighbours else [])]
        frames = [picture for picture, _ in shown]
        views = [
            View(transform.settings, frame, shown[frame][1][face])
            for transform, face, frame in zip(
                self.transforms,
                self.faces,
                self.frames if neighbours else [0] * len(self.faces),
                strict=True,
            )
        ]
        flips = self.draw_flips(len(images))
        return show_views(frames, views, draw_views(frames, views, flips), check_values)
