import numpy as np
import pytest

from contrawarp_edge.core.errors import InputError
from lightly_contrawarp.evaluation.measures.nearest import nearest

RNG = np.random.default_rng(0)
LABELS = RNG.integers(3, size=90)
PEOPLE = RNG.integers(12, size=90) + 50  # any numbers will do
VALUES = RNG.standard_normal((3, 8))[LABELS] + RNG.standard_normal((90, 8))


def test_nearest__is_the_one_written_out() -> None:
    unit = VALUES / np.linalg.norm(VALUES, axis=1, keepdims=True)
    counts = np.zeros(3)
    chances = np.zeros(3)
    for query in range(90):
        others = [row for row in range(90) if row != query]
        kinds = [
            1 if PEOPLE[row] == PEOPLE[query] else 2 * (LABELS[row] != LABELS[query])
            for row in others
        ]
        counts[kinds[int(np.argmax(unit[others] @ unit[query]))]] += 1
        chances += np.bincount(kinds, minlength=3) / 89
    result = nearest(VALUES, LABELS, PEOPLE)
    found = (result.same_expression, result.same_person, result.neither)
    assert [one.value for one in found] == pytest.approx(counts / 90)
    assert [one.chance for one in found] == pytest.approx(chances / 90)
    assert result.queries == 90
    for one in found:
        low, high = one.interval
        assert low < one.value < high


def test_nearest__of_pairs_in_closed_form() -> None:
    # Four people, two expressions each: expression, then identity carries the cosine.
    labels, people = np.arange(8) % 2, np.arange(8) // 2
    small = 0.1 * np.eye(4)[people]
    result = nearest(np.hstack([np.eye(2)[labels], small]), labels, people)
    assert result.same_expression.value == 1
    assert result.same_expression.chance == pytest.approx(3 / 7)
    assert result.neither.chance == pytest.approx(3 / 7)
    assert result.same_person.chance == pytest.approx(1 / 7)
    result = nearest(np.eye(4)[people], labels, people)
    assert result.same_person.value == 1
    same = nearest(np.ones((8, 3)), labels, people)
    for one in (same.same_expression, same.same_person, same.neither):
        assert one.value == pytest.approx(one.chance)


def test_nearest__interval_is_that_of_people() -> None:
    # All images of a person behave alike, so that each counts as one.
    people = np.repeat(np.arange(10), 20)
    labels = np.tile([0, 1], 100)
    values = np.where(
        people[:, None] % 2, np.eye(10)[people], 9 * np.eye(2, 10)[labels]
    )
    result = nearest(values + 1e-6 * RNG.standard_normal((200, 10)), labels, people)
    low, high = result.same_person.interval
    assert high - low > 0.4


def test_nearest__with_too_little() -> None:
    with pytest.raises(InputError, match="got 1 people and 3 expressions"):
        nearest(VALUES, LABELS, np.zeros(90, int))
    with pytest.raises(InputError, match="got 12 people and 1 expressions"):
        nearest(VALUES, np.zeros(90, int), PEOPLE)
