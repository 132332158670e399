"""``ContraWarpTransform``: all views of one image, by Lightly's contract."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float, Float32, Shaped
from lightly.transforms.multi_view_transform import MultiViewTransform
from PIL import Image
from torch import Tensor

from contrawarp_edge.core.ranges import check_range
from lightly_contrawarp.transforms.action_warp import ActionWarp
from lightly_contrawarp.transforms.colour.pixels import batch_of_one
from lightly_contrawarp.transforms.face_warp import FaceWarp
from lightly_contrawarp.transforms.geometry.bumps import WarpParameters, still_bumps
from lightly_contrawarp.transforms.pairing import FRAMES, Pairing
from lightly_contrawarp.transforms.view_transform import ContraWarpViewTransform
from lightly_contrawarp.transforms.views import (
    View,
    draw_views,
    float32_by_default,
    show_views,
)


class ContraWarpTransform(MultiViewTransform):  # type: ignore[misc]
    """Positives and locally warped negatives of one face, for ContraWarping [0].

    ``pairing`` says in how many views the face and its ``num_negatives`` warps come:

    - ``"paired"``, each in two: ``[view_0, view_1, warped_1, warped_1', warped_2,
      ...]``. Each warp is a positive of itself and a negative of the others, so that
      "looks warped" tells nothing, and only the particular geometry separates them.
    - ``"unpaired"``, the face in two: ``[view_0, view_1, warped_1, warped_2, ...]``.
    - ``"single"``, each in one: ``[view_0, warped_1, warped_2, ...]``, to tell what
      the warps did.

    Unwarped views pass through the same sampler, with a field of zeros, so that no
    trace of resampling gives the negatives away.

    Input to this transform:
        PIL Image, or Tensor ``[c, h, w]``: uint8, uint16 (0 to 65535), or floating in
        [0, 1]. Other integers, NaN and other ranges raise ``InputError``.
    Output of this transform:
        List of float32 Tensors ``[3, input_size, input_size]``; behind them, if the
        warp has names for what it does and there are warps, one float32 Tensor
        ``[num_negatives, len(warp.names)]``: the signed strength of each action, in
        inter-ocular distances.

    All views of an image share the order of the jitter steps.

    - [0]: ContraWarping, 2023, https://arxiv.org/abs/2303.09034

    Attributes:
        transforms: One transform a view; called alone, each draws a warp of its own.
        faces: For each view, which of the image's faces it shows: 0 is the face as it
            is, k the k-th warped one.
        frames: For each view, which frame it shows: 0 is the image, 1 its neighbour,
            if one is given. That is the second view of each pair; of single views
            all those of warps.

    Examples:
        >>> from PIL import Image
        >>> transform = ContraWarpTransform(num_negatives=1, pairing="single")
        >>> *views, actions = transform(Image.new("RGB", (128, 128)))
        >>> [tuple(view.shape) for view in views], tuple(actions.shape)
        ([(3, 112, 112), (3, 112, 112)], (1, 10))
    """

    def __init__(
        self,
        input_size: int = 112,
        num_negatives: int = 1,
        pairing: str = "paired",
        share_flip: bool = True,
        warp: FaceWarp | None = None,
        view_1_transform: ContraWarpViewTransform | None = None,
        view_2_transform: ContraWarpViewTransform | None = None,
    ) -> None:
        """Initializes the transform.

        Args:
            input_size: Height and width of the default views in pixels.
            num_negatives: Number of warped faces an image, K, at least 0, which leaves
                BYOL's views.
            pairing: In how many views face and warps come, one of ``Pairing``.
            share_flip: Whether all views of an image share one draw of the flips; if
                not, an asymmetric warp and its mirror image mean the same.
            warp: Draws the warps; ``ActionWarp()`` by default, ``LocalWarp()`` draws
                random bumps.
            view_1_transform: Settings of the first view.
            view_2_transform: Settings of the second view, and of warps in one view.

        Raises:
            InputError: If ``num_negatives`` is negative, or there is no such pairing.
        """
        check_range("num_negatives", num_negatives, 0)
        first = view_1_transform or ContraWarpViewTransform(input_size)
        second = view_2_transform or ContraWarpViewTransform(input_size)
        face, warped = FRAMES[Pairing(pairing)]
        self.num_negatives = num_negatives
        self.pairing = Pairing(pairing)
        self.share_flip = share_flip
        self.warp = warp or ActionWarp()
        numbers = range(1, num_negatives + 1)
        self.faces = [*(0 for _ in face), *(k for k in numbers for _ in warped)]
        self.frames = [*face, *warped * num_negatives]
        of_face = [first, second][: len(face)]
        of_warp = [view.with_warp(self.warp) for view in (first, second)]
        of_warp = of_warp[-len(warped) :]
        super().__init__(transforms=[*of_face, *of_warp * num_negatives])

    def __call__(
        self,
        image: Image.Image | Shaped[Tensor, "c h w"],
        landmarks: Float[Tensor, "p 2"] | Float[Tensor, "2 p 2"] | None = None,
        neighbour: Image.Image | Shaped[Tensor, "c h w"] | None = None,
    ) -> list[Float32[Tensor, "3 s s"] | Float32[Tensor, "m a"]]:
        """Makes all views of one image.

        Args:
            image: The face, cropped by the crop contract: PIL image of any mode, or
                tensor of 1 or 3 channels of uint8, of uint16 (0 to 65535) or floating
                with values in [0, 1].
            landmarks: Its landmarks, to warp around instead of the contract's, as for
                :meth:`FaceWarp.draw`; with a neighbour those of both.
            neighbour: Another frame of the same face, for the views whose place in
                ``frames`` says 1; like ``image``.

        Returns:
            The views, ``input_size`` a side, in the order of ``faces``; then what the
            warps did, if they have names for it.

        Raises:
            InputError: If a tensor has another shape, type or range.
            ValueError: If ``landmarks`` has another shape.
        """
        warps = self.draw_warps(1, None if landmarks is None else landmarks[None])
        second = None if neighbour is None else (neighbour, warps[-1])
        views = self.views(image, warps[0], second)
        return [*views, *(actions[0] for actions in self.actions(warps[0]))]

    def actions(
        self, warps: Sequence[WarpParameters]
    ) -> list[Float32[Tensor, "b m a"]]:
        """What warps do to each face.

        Args:
            warps: The ``1 + K`` warps, the first of which is the face as it is.

        Returns:
            One tensor, of what ``warp.names`` names, in inter-ocular distances; none
            if there are no warps or no names.
        """
        if not self.num_negatives or not self.warp.names:
            return []
        return [torch.stack([warp.actions for warp in warps[1:]], dim=1)]

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
        frames: Sequence[Tensor] = ()
        if landmarks is not None:
            frames = landmarks.unbind(1) if landmarks.ndim == 4 else [landmarks]
        if not self.num_negatives:
            return [[still_bumps(batch)]] * max(1, len(frames))
        drawn = [
            self.warp.draw_frames(frames) if frames else [self.warp.draw(batch)]
            for _ in range(self.num_negatives)
        ]
        return [[warps[0].stilled(), *warps] for warps in zip(*drawn, strict=True)]

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
            neighbour: Another frame and its ``1 + K`` warps, for the views whose place
                in ``frames`` says 1; the image itself if ``None``.

        Returns:
            The views alone, in the order of ``faces``.
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
                views whose place in ``frames`` says 1; the images themselves if
                ``None``.
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
