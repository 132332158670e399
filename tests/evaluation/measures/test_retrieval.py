import itertools

import numpy as np
import pytest
from sklearn.metrics import average_precision_score

from contrawarp_edge.core.errors import InputError
from lightly_contrawarp.evaluation.measures.retrieval import (
    chance_average_precision,
    retrieval,
)

RNG = np.random.default_rng(0)
LABELS = RNG.choice(3, size=90, p=(0.6, 0.3, 0.1))
PEOPLE = RNG.integers(12, size=90)
VALUES = RNG.standard_normal((3, 8))[LABELS] + 1.5 * RNG.standard_normal((90, 8))


def _reference(identities: np.ndarray | None) -> np.ndarray:
    unit = VALUES / np.linalg.norm(VALUES, axis=1, keepdims=True)
    cosines = unit @ unit.T
    by_class: dict[int, list[tuple[float, float, float]]] = {0: [], 1: [], 2: []}
    for query in range(90):
        gallery = np.arange(90) != query
        if identities is not None:
            gallery &= identities != identities[query]
        relevant = LABELS[gallery] == LABELS[query]
        if not relevant.any():
            continue
        best = relevant[np.argsort(-cosines[query, gallery])]
        average = average_precision_score(relevant, cosines[query, gallery])
        by_class[LABELS[query]].append((best[0], best[:10].mean(), average))
    return np.mean([np.mean(rows, axis=0) for rows in by_class.values()], axis=0)


@pytest.mark.parametrize("identities", [None, PEOPLE])
def test_retrieval__is_the_one_written_out(identities: np.ndarray | None) -> None:
    result = retrieval(VALUES, LABELS, identities=identities)
    estimates = (
        result.precision_at_1,
        result.precision_at_10,
        result.mean_average_precision,
    )
    assert [e.value for e in estimates] == pytest.approx(_reference(identities))
    for estimate in estimates:
        low, high = estimate.interval
        assert estimate.chance < low < estimate.value < high
    assert (result.queries, result.left_out) == (90, 0)


@pytest.mark.parametrize("identities", [None, PEOPLE])
def test_retrieval__random_features_are_at_chance(
    identities: np.ndarray | None,
) -> None:
    measured = []
    for seed in range(20):
        noise = np.random.default_rng(seed).standard_normal((90, 30))
        result = retrieval(noise, LABELS, identities=identities)
        measured.append(
            (result.precision_at_10.value, result.mean_average_precision.value)
        )
    chance = result.precision_at_10.chance, result.mean_average_precision.chance
    assert np.mean(measured, axis=0) == pytest.approx(chance, abs=0.015)


def test_retrieval__features_that_are_all_the_same_score_chance() -> None:
    result = retrieval(np.ones((90, 4)), LABELS)
    for estimate in (result.precision_at_1, result.precision_at_10):
        assert estimate.value == pytest.approx(estimate.chance)


@pytest.mark.parametrize(("relevant", "candidates"), [(1, 1), (1, 7), (3, 8), (8, 8)])
def test_chance_average_precision__is_the_mean_over_all_orders(
    relevant: int, candidates: int
) -> None:
    averages = [
        np.mean([(found + 1) / (place + 1) for found, place in enumerate(places)])
        for places in itertools.combinations(range(candidates), relevant)
    ]
    result = chance_average_precision(np.array([relevant]), np.array([candidates]))
    assert result[0] == pytest.approx(np.mean(averages))


def test_retrieval__leaves_out_queries_without_an_answer() -> None:
    labels = np.array([0, 0, 0, 1])
    people = np.array([0, 0, 1, 2])
    values = np.eye(4)
    assert retrieval(values, labels).left_out == 1
    apart = retrieval(values, labels, identities=people)
    assert (apart.queries, apart.left_out) == (3, 1)
    with pytest.raises(InputError, match="of different people"):
        retrieval(values, labels, identities=np.zeros(4, dtype=int))
    with pytest.raises(InputError, match="two images of a class"):
        retrieval(values, np.arange(4))


def test_retrieval__interval_among_other_people_is_that_of_people() -> None:
    # Ten copies of each image tell nothing new: the people are the same.
    identities = np.arange(90) % 30
    one = retrieval(VALUES, LABELS, identities=identities)
    copies = np.repeat(np.arange(90), 10)
    ten = retrieval(VALUES[copies], LABELS[copies], identities=identities[copies])
    widths = [np.ptp(each.precision_at_1.interval) for each in (one, ten)]
    assert widths[1] == pytest.approx(widths[0], rel=0.25)
