"""Checks of numbers that users choose."""

import math

import pytest

from contrawarp_edge.core.errors import InputError
from contrawarp_edge.core.ranges import check_interval, check_range


@pytest.mark.parametrize("value", [-0.1, 1.1, math.nan, math.inf, -math.inf])
def test_numbers_outside_of_a_range_are_refused(value: float) -> None:
    with pytest.raises(InputError, match="x must be at least 0 and at most 1, got"):
        check_range("x", value, 0, 1)


def test_the_ends_of_a_range_are_in_it_unless_open() -> None:
    check_range("x", 0, 0, 1)
    check_range("x", 1, 0, 1)
    with pytest.raises(InputError, match="x must be greater than 0, got 0"):
        check_range("x", 0, 0, low_open=True)
    with pytest.raises(InputError, match="x must be at least 0, got inf"):
        check_range("x", math.inf, 0)


@pytest.mark.parametrize(
    "bounds", [(0.3, 0.1), (-1, 0), (0, 1), (0.3, math.inf), (math.nan, 1)]
)
def test_intervals_rise_and_are_finite(bounds: tuple[float, float]) -> None:
    check_interval("x", (0.2, 0.2), 0, low_open=True)
    with pytest.raises(InputError, match="x must"):
        check_interval("x", bounds, 0, low_open=True)
