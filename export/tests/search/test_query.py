from __future__ import annotations

import numpy as np
import pytest

from contrawarp_edge import InputError
from contrawarp_edge.search.query import combined


def test_combined() -> None:
    x, y, z = np.eye(3, dtype=np.float32)
    np.testing.assert_allclose(combined([5 * x], []), x)
    np.testing.assert_allclose(combined([x, 9 * y], []), (x + y) / np.sqrt(2))
    np.testing.assert_allclose(combined([x], [y, z]), (8**0.5 * x - y - z) / 10**0.5)
    np.testing.assert_allclose(combined([x], [x]), x)  # half of it is left


def test_combined__rows_of_a_matrix() -> None:
    rng = np.random.default_rng(0)
    like, unlike = (rng.normal(size=(n, 6)).astype(np.float32) for n in (3, 2))

    def unit(vector: np.ndarray) -> np.ndarray:
        return vector / np.linalg.norm(vector)

    means = [unit(np.mean([unit(v) for v in part], axis=0)) for part in (like, unlike)]
    for nothing in ((), unlike[:0]):
        np.testing.assert_allclose(combined(like, nothing), means[0], atol=1e-6)
    expected = means[0] - 0.5 * means[1]
    query = combined(like, unlike)
    np.testing.assert_allclose(query, unit(expected), atol=1e-6)
    assert query.dtype == np.float32


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
