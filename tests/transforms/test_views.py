"""What views of one image have to do with each other."""

import torch

from lightly_contrawarp import ContraWarpViewTransform
from lightly_contrawarp.transforms.geometry.bumps import still_bumps
from lightly_contrawarp.transforms.views import View, draw_views, show_views


def test_a_close_view_does_not_make_a_wide_one_alias() -> None:
    stripes = torch.zeros(1, 3, 256, 256, dtype=torch.uint8)
    stripes[..., ::2] = 255
    still = {"cj_prob": 0, "random_gray_scale": 0, "gaussian_blur": 0}
    settings = ContraWarpViewTransform(32, normalize=None, **still).settings
    views = [View(settings, 0, still_bumps(1))] * 2
    drawn = draw_views([stripes], views)
    whole = torch.tensor([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
    drawn = drawn._replace(affine=torch.stack([whole, whole / 8])[None])
    wide, close = show_views([stripes], views, drawn)
    assert (wide - 0.5).abs().max() < 0.05
    torch.testing.assert_close(close, stripes[..., :32, :32] / 255, atol=1e-4, rtol=0)
