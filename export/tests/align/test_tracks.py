from __future__ import annotations

import pytest

from contrawarp_edge.align.geometry import Box, overlap
from contrawarp_edge.align.tracks import link


def box(x: float, side: float = 10) -> Box:
    return (x, 0, x + side, side)


@pytest.mark.parametrize(
    ("one", "other", "share"),
    [
        (box(0), box(0), 1),
        (box(0), box(5), 1 / 3),
        (box(0), box(10), 0),
        (box(0), box(30), 0),
        (box(0), box(0, 5), 1 / 4),
        ((0, 0, 0, 0), (0, 0, 0, 0), 0),
    ],
)
def test_overlap(one: Box, other: Box, share: float) -> None:
    assert overlap(one, other) == pytest.approx(share)
    assert overlap(other, one) == pytest.approx(share)


def test_faces_keep_their_tracks_in_any_order() -> None:
    assert link({4: box(0), 7: box(50)}, [box(51), box(1)], 8) == [7, 4]


def test_the_better_of_two_continues_a_track() -> None:
    assert link({1: box(0)}, [box(4), box(1)], 2) == [2, 1]


def test_one_that_left_and_one_that_came() -> None:
    assert link({1: box(0), 2: box(50)}, [box(50), box(90), box(200)], 3) == [2, 3, 4]
    assert link({}, [box(0), box(50)], 1) == [1, 2]
    assert link({1: box(0)}, [], 2) == []
