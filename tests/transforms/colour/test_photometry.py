"""What colour changes are drawn, from which settings."""

import pytest
import torch

from contrawarp_edge.core.errors import InputError
from lightly_contrawarp import ContraWarpViewTransform
from lightly_contrawarp.transforms.colour.photometry import NEUTRAL, draw_photometry


def test_drawn_parameters_have_the_ranges_of_the_view() -> None:
    torch.manual_seed(0)
    view = ContraWarpViewTransform(
        112, cj_prob=0.5, cj_contrast=1.5, gaussian_blur=0.3, solarization_prob=0.2
    )
    drawn = draw_photometry([view.settings.photometry], 4000)
    on = drawn.factors[..., 0] != 1
    assert on.float().mean().item() == pytest.approx(0.5, abs=0.03)
    assert (drawn.factors[~on] == torch.tensor(NEUTRAL)).all()
    for factor, (low, high) in zip(
        drawn.factors[on].unbind(-1),
        [(0.6, 1.4), (0.0, 2.5), (0.8, 1.2), (-0.1, 0.1)],
        strict=True,
    ):
        assert factor.min().item() == pytest.approx(low, abs=0.01)
        assert factor.max().item() == pytest.approx(high, abs=0.01)
        middle = factor.median().item()
        assert middle == pytest.approx((low + high) / 2, abs=0.05 * (high - low))
    sigma = drawn.sigma[drawn.sigma > 0]
    assert len(sigma) / 4000 == pytest.approx(0.3, abs=0.03)
    assert sigma.min().item() == pytest.approx(0.1, abs=0.01)
    assert sigma.max().item() == pytest.approx(2.0, abs=0.01)
    assert drawn.solarized.float().mean().item() == pytest.approx(0.2, abs=0.03)
    assert drawn.gray.float().mean().item() == pytest.approx(0.2, abs=0.03)


def test_every_order_of_the_steps_is_drawn() -> None:
    torch.manual_seed(0)
    view = ContraWarpViewTransform().settings.photometry
    orders = [tuple(draw_photometry([view, view], 1).order) for _ in range(480)]
    counts = [orders.count(order) for order in set(orders)]
    assert len(counts) == 24
    assert max(counts) < 45


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"cj_prob": 1.1}, "jitter_prob must be at least 0 and at most 1"),
        ({"cj_bright": -0.1}, "brightness must be at least 0"),
        ({"cj_hue": 0.6}, "hue must be at least 0 and at most 0.5"),
        ({"cj_sat": float("nan")}, "saturation must be at least 0"),
        ({"random_gray_scale": -1.0}, "gray_prob"),
        ({"gaussian_blur": 2.0}, "blur_prob"),
        ({"solarization_prob": 2.0}, "solarize_prob"),
        ({"sigmas": (2.0, 1.0)}, "sigmas must rise"),
        ({"sigmas": (0.1, float("inf"))}, "sigmas must be"),
    ],
)
def test_refuses_senseless_settings(settings: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        ContraWarpViewTransform(**settings)
