from __future__ import annotations

import numpy as np
import pytest

from contrawarp_edge import InputError
from contrawarp_edge.server.query import combined


def test_combined() -> None:
    x, y, z = np.eye(3, dtype=np.float32)
    np.testing.assert_allclose(combined([5 * x], []), x)
    np.testing.assert_allclose(combined([x, 9 * y], []), (x + y) / np.sqrt(2))
    np.testing.assert_allclose(combined([x], [y, z]), (8**0.5 * x - y - z) / 10**0.5)
    np.testing.assert_allclose(combined([x], [x]), x)  # half of it is left


@pytest.mark.parametrize(
    ("like", "unlike", "message"),
    [
        ([[1, 0], [-1, 0]], [], "cancel"),
        ([[1, 0]], [[0, 1], [0, -1]], "cancel"),
        ([[0, 0]], [], "zero"),
        ([[1, 0]], [[np.inf, 0]], "not finite"),
    ],
)
def test_bad_examples(
    like: list[list[float]], unlike: list[list[float]], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        combined(*([np.array(v, np.float32) for v in part] for part in (like, unlike)))
