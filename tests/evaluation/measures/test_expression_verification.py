import itertools

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from contrawarp_edge.core.errors import InputError
from lightly_contrawarp.evaluation.measures import expression_verification as measure
from lightly_contrawarp.evaluation.measures.expression_verification import (
    expression_verification,
)
from lightly_contrawarp.evaluation.statistics import verification

CLASSES = ("neutral", "happy", "sad")
RNG = np.random.default_rng(0)
LABELS = RNG.choice(3, size=120, p=(0.5, 0.4, 0.1))
PEOPLE = RNG.integers(20, size=120) * 7 - 3  # any numbers will do
VALUES = RNG.standard_normal((3, 8))[LABELS] + 1.5 * RNG.standard_normal((120, 8))


def _written_out(one: int, two: int, without: int | None = None) -> float:
    unit = VALUES / np.linalg.norm(VALUES, axis=1, keepdims=True)
    pairs = [
        (LABELS[i] == LABELS[j], unit[i] @ unit[j])
        for i, j in itertools.combinations(range(len(LABELS)), 2)
        if PEOPLE[i] != PEOPLE[j]
        and {LABELS[i], LABELS[j]} <= {one, two}
        and without not in (PEOPLE[i], PEOPLE[j])
    ]
    return float(roc_auc_score(*zip(*pairs, strict=True)))


def test_expression_verification__is_the_one_written_out() -> None:
    result = expression_verification(VALUES, LABELS, PEOPLE, CLASSES)
    expected = {
        (CLASSES[i], CLASSES[j]): _written_out(i, j)
        for i, j in itertools.combinations(range(3), 2)
    }
    assert [one.classes for one in result.by_pair] == [
        *(("neutral", "happy"), ("neutral", "sad"), ("happy", "sad"))
    ]
    for one in result.by_pair:
        assert one.auc.value == pytest.approx(expected[one.classes], abs=1e-6)
        assert one.images == sum(
            (CLASSES.index(name) == LABELS).sum() for name in one.classes
        )
    assert result.auc.value == pytest.approx(np.mean(list(expected.values())), abs=1e-6)
    assert (result.people, result.images, result.auc.chance) == (20, 120, 0.5)
    for estimate in (result.auc, *(one.auc for one in result.by_pair)):
        low, high = estimate.interval
        assert low < estimate.value < high


def test_expression_verification__drawn_pairs_stand_for_all(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Of the rare class all pairs are taken, of the others some: they weigh more.
    exact = expression_verification(VALUES, LABELS, PEOPLE, CLASSES)
    monkeypatch.setattr(measure, "MAX_PAIRS", 900)
    drawn = expression_verification(VALUES, LABELS, PEOPLE, CLASSES)
    assert drawn == expression_verification(VALUES, LABELS, PEOPLE, CLASSES)
    for one, two in zip(drawn.by_pair, exact.by_pair, strict=True):
        assert one.auc.value == pytest.approx(two.auc.value, abs=0.03)
    assert drawn.by_pair[0].auc != exact.by_pair[0].auc


def _scored(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Numbers of pairs of which cosines are computed."""
    seen: list[int] = []
    cosines = verification._cosines

    def noted(unit: np.ndarray, first: np.ndarray, second: np.ndarray) -> np.ndarray:
        seen.append(len(first))
        return cosines(unit, first, second)

    monkeypatch.setattr(verification, "_cosines", noted)
    return seen


def test_expression_verification__each_pair_is_scored_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen = _scored(monkeypatch)
    expression_verification(VALUES, LABELS, PEOPLE, CLASSES)
    assert sum(seen) == (PEOPLE[:, None] != PEOPLE).sum() / 2


def test_expression_verification__of_many_classes_takes_no_more_pairs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(measure, "MAX_PAIRS", 90)
    seen = _scored(monkeypatch)
    expression_verification(VALUES, LABELS, PEOPLE, CLASSES)
    assert 80 < max(seen) <= 90
    monkeypatch.setattr(measure, "MANY_CLASS_PAIRS", 1)
    seen.clear()
    expression_verification(VALUES, LABELS, PEOPLE, CLASSES)
    assert 20 < max(seen) <= 30


@pytest.mark.parametrize("limit", [10, 10**6])
def test_pairs_are_of_different_people(limit: int) -> None:
    rng = np.random.default_rng(0)
    one, two = np.arange(40), np.arange(40, 70)
    for other in (one, two):
        pairs = measure._pairs(one, other, PEOPLE, rng, limit)
        assert (PEOPLE[pairs.first] != PEOPLE[pairs.second]).all()
        assert np.isin(pairs.second, other).all()
    assert len(pairs.first) <= limit
    assert pairs.weight == pytest.approx(max(1, 1200 / limit))


def test_expression_verification__interval_is_that_of_resampled_people() -> None:
    result = expression_verification(VALUES, LABELS, PEOPLE, CLASSES)
    low, high = result.by_pair[0].auc.interval
    # Leaving out one person at a time gives an independent standard error.
    left_out = np.array([_written_out(0, 1, one) for one in np.unique(PEOPLE)])
    error = np.sqrt(19 / 20 * np.sum((left_out - left_out.mean()) ** 2))
    assert (high - low) / (2 * 1.96) == pytest.approx(error, rel=0.4)


def test_expression_verification__features_that_are_all_the_same_are_at_chance() -> (
    None
):
    result = expression_verification(np.ones((120, 4)), LABELS, PEOPLE, CLASSES)
    assert result.auc.value == result.by_pair[0].auc.value == 0.5


def test_expression_verification__with_too_little() -> None:
    with pytest.raises(InputError, match="got 20 people and 1 expressions"):
        expression_verification(VALUES, np.zeros(120, int), PEOPLE, CLASSES)
    with pytest.raises(InputError, match="got 1 people"):
        expression_verification(VALUES, LABELS, np.zeros(120, int), CLASSES)
