import numpy as np
import pytest
from scipy.spatial.distance import cosine

from contrawarp_edge.core.errors import InputError
from lightly_contrawarp.evaluation.measures.triplets import triplet_accuracy

RNG = np.random.default_rng(0)
VALUES = RNG.standard_normal((60, 5))
TRIPLETS = np.array([RNG.choice(60, 3, replace=False) for _ in range(400)])
TYPES = RNG.choice(["ONE_CLASS_TRIPLET", "TWO_CLASS_TRIPLET"], size=400).tolist()


def _odd_ones() -> np.ndarray:
    """The face that is left out by the smallest distance, written out."""
    odd = []
    for a, b, c in VALUES[TRIPLETS]:
        distances = {2: cosine(a, b), 1: cosine(a, c), 0: cosine(b, c)}
        odd.append(min(distances, key=distances.__getitem__))
    return np.array(odd)


def test_triplet_accuracy__by_smallest_distance() -> None:
    odd = _odd_ones()
    wrong = np.arange(400) < 100
    odd[wrong] = (odd[wrong] + 1) % 3
    result = triplet_accuracy(VALUES, TRIPLETS, odd, TYPES)
    assert (result.triplets, result.accuracy.value) == (400, 0.75)
    low, high = result.accuracy.interval
    assert (low, high) == pytest.approx((0.75 - 0.042, 0.75 + 0.042), abs=0.01)
    for kind, estimate in result.by_type.items():
        chosen = np.array(TYPES) == kind
        assert estimate.value == pytest.approx(1 - wrong[chosen].mean())
        assert result.triplets_by_type[kind] == chosen.sum()
    assert len(result.by_type) == 2


def test_triplet_accuracy__chance() -> None:
    odd = RNG.integers(3, size=400)
    result = triplet_accuracy(VALUES, TRIPLETS, odd, TYPES)
    low, high = result.accuracy.interval
    assert low < result.accuracy.chance == 1 / 3 < high
    collapsed = triplet_accuracy(np.ones((60, 4)), TRIPLETS, odd, TYPES)
    assert collapsed.accuracy.value == pytest.approx(1 / 3)


def test_triplet_accuracy__without_majority() -> None:
    odd = _odd_ones()
    odd[:30] = -1
    result = triplet_accuracy(VALUES, TRIPLETS, odd, TYPES)
    assert (result.triplets, result.undecided) == (370, 30)
    assert result.accuracy.value == 1
    assert sum(result.triplets_by_type.values()) == 370
    with pytest.raises(InputError, match="a majority of votes"):
        triplet_accuracy(VALUES, TRIPLETS, np.full(400, -1), TYPES)
