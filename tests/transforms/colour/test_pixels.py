"""What kinds of pixels become the same views, and which are refused."""

from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from contrawarp_edge.core.errors import InputError
from lightly_contrawarp import ContraWarpTransform, LocalWarp
from lightly_contrawarp.transforms.batch_transform import ContraWarpBatchTransform
from lightly_contrawarp.transforms.geometry.bumps import WarpParameters


def as_dtype(faces: Tensor, dtype: torch.dtype) -> Tensor:
    """The same pictures in another type."""
    if dtype == torch.uint16:
        return (faces.int() * 257).to(dtype)
    return (faces.double() / 255).to(dtype)


def views_of(images: Tensor, batched: bool) -> Tensor:
    torch.manual_seed(3)
    transform = ContraWarpTransform(32)
    make: Any = ContraWarpBatchTransform(transform) if batched else transform
    return torch.stack(make(images if batched else images[0])[:-1])


@pytest.mark.parametrize("batched", [False, True])
@pytest.mark.parametrize("size", [24, 64])  # enlarged and shrunk
@pytest.mark.parametrize(
    "dtype",
    [torch.uint16, torch.float16, torch.bfloat16, torch.float32, torch.float64],
)
def test_every_type_gives_the_views_of_uint8(
    dtype: torch.dtype, size: int, batched: bool, faces: Tensor
) -> None:
    images = faces[:2, :, :size, :size]
    expected = views_of(images, batched)
    views = views_of(as_dtype(images, dtype), batched)
    assert views.dtype == torch.float32
    # Normalised, a bit in 255 is 0.02; bfloat16 has as many.
    torch.testing.assert_close(views, expected, atol=0.06, rtol=0)


@pytest.mark.parametrize("batched", [False, True])
@pytest.mark.parametrize(
    ("images", "message"),
    [
        (torch.zeros(2, 3, 40, 40, dtype=torch.int16), "torch.int16 have no agreed"),
        (torch.zeros(2, 3, 40, 40, dtype=torch.int32), "convert them to uint8"),
        (torch.zeros(2, 3, 40, 40, dtype=torch.int64), "convert them to uint8"),
        (torch.zeros(2, 3, 40, 40, dtype=torch.bool), "convert them to uint8"),
        (torch.full((2, 3, 40, 40), 200.0), r"in \[0, 1\], got .* divide by 255"),
        (torch.full((2, 1, 40, 40), 200.0).half(), r"in \[0, 1\], got"),
        (torch.randn(2, 3, 40, 40), "leave out an earlier normalisation"),
        (torch.full((2, 3, 40, 40), torch.nan), r"in \[0, 1\], got values from nan"),
        (torch.full((2, 3, 40, 40), torch.inf), r"in \[0, 1\], got"),
    ],
)
def test_other_types_and_ranges_are_refused(
    images: Tensor, message: str, batched: bool
) -> None:
    with pytest.raises(InputError, match=message):
        views_of(images, batched)


def test_one_nan_is_enough(faces: Tensor) -> None:
    images = faces[:4].float() / 255
    images[3, 1, 20, 20] = torch.nan
    with pytest.raises(InputError, match="got values from nan"):
        views_of(images, True)
    neighbours = ContraWarpBatchTransform(ContraWarpTransform(32))
    with pytest.raises(InputError, match="got values from nan"):
        neighbours(faces[:4], neighbours=images)


@pytest.mark.parametrize("batched", [False, True])
def test_what_resizing_overshoots_is_cut_off(batched: bool, faces: Tensor) -> None:
    images = faces[:2].float() / 255
    beyond = torch.where(images > 0.5, images + 0.2 * (images > 0.99), images)
    beyond[..., 0, 0] = -0.1
    images[..., 0, 0] = 0.0
    torch.testing.assert_close(
        views_of(beyond, batched), views_of(beyond.clamp(0, 1), batched)
    )


@pytest.mark.parametrize("mode", ["I;16", "I", "F"])
def test_pil_images_of_more_bits_are_scaled(mode: str, faces: Tensor) -> None:
    grey = faces[0].float().mean(0).round().numpy()
    deep = {
        "I;16": (grey * 257).astype(np.uint16),
        "I": (grey * 257).astype(np.int32),
        "F": (grey / 255).astype(np.float32),
    }[mode]
    assert Image.fromarray(deep).mode == mode
    both = []
    for image in (Image.fromarray(grey.astype(np.uint8)), Image.fromarray(deep)):
        torch.manual_seed(3)
        both.append(torch.stack(ContraWarpTransform(32)(image)[:-1]))
    torch.testing.assert_close(both[1], both[0])


@pytest.mark.parametrize("default", [torch.bfloat16, torch.float64])
def test_a_trainers_precision_moves_no_view(
    default: torch.dtype, faces: Tensor
) -> None:
    """Under ``bf16-true``, new tensors would have 16 bits, too few for positions."""
    expected = views_of(faces[:4], True)
    torch.set_default_dtype(default)
    try:
        views = views_of(faces[:4], True)
        assert torch.get_default_dtype() == default
    finally:
        torch.set_default_dtype(torch.float32)
    assert views.dtype == torch.float32
    torch.testing.assert_close(views, expected)


@pytest.mark.parametrize(
    ("dtype", "scale"),
    [(torch.uint16, 257), (torch.int16, 128), (torch.int32, 60_000), (torch.int64, 2)],
)
def test_local_warps_of_deep_integers(
    dtype: torch.dtype, scale: int, faces: Tensor
) -> None:
    warp = LocalWarp()
    parameters = warp.draw(2)
    values = faces[:2].double() * scale
    warped = warp((faces[:2].long() * scale).to(dtype), parameters)
    assert warped.dtype == dtype
    expected = warp(values, WarpParameters(*(x.double() for x in parameters)))
    assert float(expected.max()) > 255
    torch.testing.assert_close(
        warped.double(), expected, atol=0.51 + scale / 500, rtol=0
    )


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_local_warps_of_16_bits_are_placed_in_32(
    dtype: torch.dtype, faces: Tensor
) -> None:
    warp = LocalWarp()
    parameters = warp.draw(4)
    images = (faces[:4].float() / 255).to(dtype)
    expected = warp(images.float(), parameters).to(dtype)
    assert torch.equal(warp(images, parameters), expected)
