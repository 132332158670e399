"""One view of a face: geometry in a single resampling, then colour."""

from __future__ import annotations

import copy
import math
from typing import TypeVar

import torch
from lightly.transforms.torchvision_v2_compatibility import torchvision_transforms as T
from lightly.transforms.utils import IMAGENET_NORMALIZE
from PIL import Image, ImageFilter
from torch import Tensor
from torchvision.transforms.v2 import functional as TF

from contrawarp_edge.inputs.images import to_rgb
from lightly_contrawarp.transforms.bumps import WarpParameters
from lightly_contrawarp.transforms.global_geometry import GlobalGeometry
from lightly_contrawarp.transforms.local_warp import LocalWarp
from lightly_contrawarp.transforms.pixels import to_unit_range
from lightly_contrawarp.transforms.sampling_grid import sample, sampling_grid

ImageOrTensor = TypeVar("ImageOrTensor", Image.Image, Tensor)


class GeometricView:
    """Crop, flips, rotation and a local warp in one resampling.

    A PIL image stays a PIL image, now RGB of ``input_size``; a tensor becomes float32
    ``[3, input_size, input_size]`` in [0, 1].
    """

    def __init__(
        self, input_size: int, geometry: GlobalGeometry, warp: LocalWarp | None = None
    ) -> None:
        self.input_size = input_size
        self.geometry = geometry
        self.warp = warp

    def __call__(
        self,
        image: Image.Image | Tensor,
        parameters: WarpParameters | None = None,
        flips: Tensor | None = None,
    ) -> Image.Image | Tensor:
        """Draws the global geometry and applies it, together with a local warp.

        Args:
            image: PIL image of any mode, or tensor ``[C, H, W]``, C 1 or 3, of uint8,
                of uint16 (0 to 65535) or floating with values in [0, 1].
            parameters: One warp to apply; if ``None``, one is drawn from ``warp``, or
                the face is left as it is.
            flips: Flips to use, ``[1, 2]``; drawn if ``None``.

        Returns:
            The view, of the kind of the input.

        Raises:
            ValueError: If a tensor has another shape, type or range.
        """
        width, height = _size_of(image)
        affine = self.geometry.draw(1, aspect=width / height, flips=flips)
        if parameters is None and self.warp is not None:
            parameters = self.warp.draw(1)
        extent = affine[0, :, :2].norm(dim=1) * torch.tensor([width, height])
        source = _to_float(image, float(self.input_size / extent.min()))
        grid = sampling_grid(affine, (self.input_size, self.input_size), parameters)
        view = sample(source[None], grid)[0]
        if isinstance(image, Tensor):
            return view
        pixels = view.mul(255).round_().clamp_(0, 255).byte()
        return Image.fromarray(pixels.permute(1, 2, 0).contiguous().numpy())


class RandomBlur:
    """Gaussian blur of a PIL image or a tensor, drawn from torch's generator."""

    def __init__(self, prob: float, sigmas: tuple[float, float]) -> None:
        self.prob = prob
        self.sigmas = sigmas

    def __call__(self, image: ImageOrTensor) -> ImageOrTensor:
        """Blurs with probability ``prob``; standard deviation in pixels."""
        chance, position = torch.rand(2).tolist()
        if chance >= self.prob:
            return image
        sigma = self.sigmas[0] + position * (self.sigmas[1] - self.sigmas[0])
        if isinstance(image, Image.Image):
            return image.filter(ImageFilter.GaussianBlur(sigma))
        size = 2 * math.ceil(3 * sigma) + 1
        blurred: Tensor = TF.gaussian_blur(image, [size, size], [sigma, sigma])
        return blurred


class RandomSolarize:
    """Inverts the bright half of the values of a PIL image or a tensor."""

    def __init__(self, prob: float) -> None:
        self.prob = prob

    def __call__(self, image: ImageOrTensor) -> ImageOrTensor:
        """Solarises with probability ``prob`` at the threshold of half of the range."""
        if torch.rand(1).item() >= self.prob:
            return image
        scale = isinstance(image, Tensor) and image.is_floating_point()
        solarized: ImageOrTensor = TF.solarize(image, 128 / 255 if scale else 128)
        return solarized


class ContraWarpViewTransform:
    """One view of a face: global geometry, at will a local warp, then colour.

    The parameters are those of Lightly's ``BYOLView1Transform``. The defaults are
    milder, because a strong crop washes out the geometry that a warp changes. All
    randomness comes from torch's generator.

    Input to this transform:
        PIL Image, or Tensor ``[C, H, W]``: uint8, uint16 (0 to 65535), or floating in
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
        warp: LocalWarp | None = None,
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
        """
        geometry = GlobalGeometry(min_scale, hf_prob, vf_prob, rr_prob, rr_degrees)
        self.geometric = GeometricView(input_size, geometry, warp)
        self.cj_prob = cj_prob
        self.jitter = T.ColorJitter(
            brightness=cj_strength * cj_bright,
            contrast=cj_strength * cj_contrast,
            saturation=cj_strength * cj_sat,
            hue=cj_strength * cj_hue,
        )
        self.random_gray_scale = random_gray_scale
        default = (0.1 * input_size / 112, 2.0 * input_size / 112)
        self.blur = RandomBlur(gaussian_blur, sigmas or default)
        self.solarize = RandomSolarize(solarization_prob)
        self.normalize = normalize
        steps = [
            T.RandomApply([self.jitter], p=cj_prob),
            T.RandomGrayscale(p=random_gray_scale),
            self.blur,
            self.solarize,
            T.ToTensor(),
        ]
        if normalize:
            steps.append(T.Normalize(mean=normalize["mean"], std=normalize["std"]))
        self.photometric = T.Compose(steps)
        self.transform = T.Compose([self.geometric, *steps])

    def with_warp(self, warp: LocalWarp) -> ContraWarpViewTransform:
        """The same view, but of the locally warped face."""
        view = copy.copy(self)
        steps = self.transform.transforms
        view.geometric = GeometricView(
            self.geometric.input_size, self.geometric.geometry, warp
        )
        view.transform = T.Compose([view.geometric, *steps[1:]])
        return view

    def __call__(
        self,
        image: Image.Image | Tensor,
        parameters: WarpParameters | None = None,
        flips: Tensor | None = None,
    ) -> Tensor:
        """Makes one view; see :class:`GeometricView` for the arguments."""
        view: Tensor = self.photometric(self.geometric(image, parameters, flips))
        return view


def _size_of(image: Image.Image | Tensor) -> tuple[int, int]:
    """Width and height in pixels."""
    if isinstance(image, Image.Image):
        return image.width, image.height
    if image.ndim != 3 or image.shape[0] not in (1, 3):
        raise ValueError(
            f"a tensor image must be [1 or 3, H, W], got {list(image.shape)}"
        )
    return image.shape[2], image.shape[1]


def _to_float(image: Image.Image | Tensor, scale: float) -> Tensor:
    """RGB float32 in [0, 1], shrunk with antialiasing if ``scale`` is below 1.

    ``grid_sample`` reads four pixels only, so a source with much more detail than the
    view would alias.
    """
    width, height = _size_of(image)
    if isinstance(image, Image.Image):
        image = to_rgb(image)
    elif image.dtype != torch.uint8:
        image = to_unit_range(image)
    if scale < 0.95:
        size = [max(1, round(height * scale)), max(1, round(width * scale))]
        image = TF.resize(image, size, antialias=True)
    tensor = image if isinstance(image, Tensor) else TF.pil_to_tensor(image)
    values = to_unit_range(tensor) if tensor.dtype == torch.uint8 else tensor
    return values.expand(3, -1, -1)
