"""One view of a face, with the settings of Lightly's BYOL views."""

from __future__ import annotations

import copy
from dataclasses import replace

from jaxtyping import Float, Float32, Shaped
from lightly.transforms.torchvision_v2_compatibility import torchvision_transforms as T
from lightly.transforms.utils import IMAGENET_NORMALIZE
from PIL import Image
from torch import Tensor
from torchvision.transforms.v2 import functional as TF

from lightly_contrawarp.transforms.colour.photometry import Photometry
from lightly_contrawarp.transforms.colour.pixels import batch_of_one
from lightly_contrawarp.transforms.face_warp import FaceWarp
from lightly_contrawarp.transforms.geometry.bumps import WarpParameters, still_bumps
from lightly_contrawarp.transforms.geometry.global_geometry import GlobalGeometry
from lightly_contrawarp.transforms.views import (
    View,
    ViewSettings,
    draw_views,
    float32_by_default,
    show_views,
)


class ContraWarpViewTransform:
    """One view of a face: global geometry, at will a local warp, then colour.

    The parameters are those of Lightly's ``BYOLView1Transform``. The defaults are
    milder, because a strong crop washes out the geometry that a warp changes. All
    randomness comes from torch's generator.

    Input to this transform:
        PIL Image, or Tensor ``[c, h, w]``: uint8, uint16 (0 to 65535), or floating in
        [0, 1]. Other integers, NaN and other ranges raise ``InputError``.
    Output of this transform:
        Float32 Tensor ``[3, input_size, input_size]``.
    """

    def __init__(
        self,
        input_size: int = 112,
        cj_prob: float = 0.8,
        cj_strength: float = 1.0,
        cj_bright: float = 0.4,
        cj_contrast: float = 0.4,
        cj_sat: float = 0.2,
        cj_hue: float = 0.1,
        min_scale: float = 0.5,
        random_gray_scale: float = 0.2,
        gaussian_blur: float = 0.5,
        solarization_prob: float = 0.0,
        sigmas: tuple[float, float] | None = None,
        vf_prob: float = 0.0,
        hf_prob: float = 0.5,
        rr_prob: float = 0.5,
        rr_degrees: float | tuple[float, float] | None = 6.0,
        normalize: dict[str, list[float]] | None = IMAGENET_NORMALIZE,
        warp: FaceWarp | None = None,
    ) -> None:
        """Initializes the view.

        Args:
            input_size: Height and width of the view in pixels.
            cj_prob: Probability that color jitter is applied.
            cj_strength: Factor on the four jitter ranges.
            cj_bright: How much to jitter brightness.
            cj_contrast: How much to jitter contrast.
            cj_sat: How much to jitter saturation.
            cj_hue: How much to jitter hue.
            min_scale: Smallest area of the crop, as a fraction of the image.
            random_gray_scale: Probability of conversion to grayscale.
            gaussian_blur: Probability of Gaussian blur.
            solarization_prob: Probability of solarization.
            sigmas: Range of the blur's standard deviation in pixels; by default
                (0.1, 2.0) at an input size of 112, and in proportion at others.
            vf_prob: Probability of a vertical flip.
            hf_prob: Probability of a horizontal flip.
            rr_prob: Probability of a rotation.
            rr_degrees: Range of the rotation in degrees, counter-clockwise; a number
                ``a`` means ``(-a, a)``, ``None`` means 90 degrees exactly.
            normalize: ``mean`` and ``std`` of the final normalization, or ``None``.
            warp: Draws a warp for each call that is given none.

        Raises:
            InputError: If a probability, a jitter or ``sigmas`` is outside of its
                range.
        """
        default = (0.1 * input_size / 112, 2.0 * input_size / 112)
        self.warp = warp
        self.settings = ViewSettings(
            input_size,
            GlobalGeometry(min_scale, hf_prob, vf_prob, rr_prob, rr_degrees),
            Photometry(
                jitter_prob=cj_prob,
                brightness=cj_strength * cj_bright,
                contrast=cj_strength * cj_contrast,
                saturation=cj_strength * cj_sat,
                hue=cj_strength * cj_hue,
                gray_prob=random_gray_scale,
                blur_prob=gaussian_blur,
                sigmas=sigmas or default,
                solarize_prob=solarization_prob,
            ),
            normalize,
        )

    @property
    def transform(self) -> T.Compose:
        """The view in the steps that Lightly's ``plot_augmented_images`` takes apart.

        It shows pictures, and so leaves out what follows the first step.
        """
        steps = [self._picture, T.ToTensor()]
        if normalize := self.settings.normalize:
            steps.append(T.Normalize(mean=normalize["mean"], std=normalize["std"]))
        return T.Compose(steps)

    def with_warp(self, warp: FaceWarp) -> ContraWarpViewTransform:
        """The same view, but of the locally warped face."""
        view = copy.copy(self)
        view.warp = warp
        return view

    def __call__(
        self,
        image: Image.Image | Shaped[Tensor, "c h w"],
        parameters: WarpParameters | None = None,
        flips: Float[Tensor, "1 2"] | None = None,
    ) -> Float32[Tensor, "3 s s"]:
        """Makes one view.

        Args:
            image: PIL image of any mode, or tensor of 1 or 3 channels of uint8, of
                uint16 (0 to 65535) or floating with values in [0, 1].
            parameters: One warp to apply; if ``None``, one is drawn from ``warp``, or
                the face is left as it is.
            flips: Flips to use, +1 or -1; drawn if ``None``.

        Returns:
            The view, ``input_size`` a side.

        Raises:
            InputError: If a tensor has another shape, type or range.
        """
        return self._make(image, self.settings, parameters, flips)

    @float32_by_default()
    def _make(
        self,
        image: Image.Image | Shaped[Tensor, "c h w"],
        settings: ViewSettings,
        warp: WarpParameters | None = None,
        flips: Float[Tensor, "1 2"] | None = None,
    ) -> Float32[Tensor, "3 s s"]:
        if warp is None:
            warp = self.warp.draw(1) if self.warp else still_bumps(1)
        frames, views = [batch_of_one(image)], [View(settings, 0, warp)]
        (view,) = show_views(frames, views, draw_views(frames, views, flips))
        return view[0]

    def _picture(self, image: Image.Image | Shaped[Tensor, "c h w"]) -> Image.Image:
        """The view before it is normalised, of 8 bits."""
        settings = replace(self.settings, normalize=None)
        pixels = self._make(image, settings).mul(255).round().byte()
        picture: Image.Image = TF.to_pil_image(pixels)
        return picture
