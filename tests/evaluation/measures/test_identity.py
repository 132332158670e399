import itertools

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from contrawarp_edge.core.errors import InputError
from lightly_contrawarp.evaluation.measures import identity
from lightly_contrawarp.evaluation.measures.identity import (
    IdentityResult,
    identity_leakage,
)
from lightly_contrawarp.evaluation.statistics import verification


def _faces(who: float, what: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Features that hold identity and expression to the given strengths."""
    rng = np.random.default_rng(0)
    people = rng.integers(100, 115, size=150)  # any numbers will do
    labels = rng.integers(4, size=150)
    parts = rng.standard_normal((15, 10)), rng.standard_normal((4, 10))
    noise = rng.standard_normal((150, 10))
    values = who * parts[0][people - 100] + what * parts[1][labels] + noise
    return values.astype(np.float32), labels, people


def test_identity_leakage__is_the_one_written_out() -> None:
    values, labels, people = _faces(1, 1)
    unit = values / np.linalg.norm(values, axis=1, keepdims=True)
    cosines = unit @ unit.T
    pairs = list(itertools.combinations(range(150), 2))
    same = [people[i] == people[j] for i, j in pairs]
    scores = [cosines[i, j] for i, j in pairs]
    own = [
        s
        for (i, j), s, one in zip(pairs, scores, same, strict=True)
        if one and labels[i] != labels[j]
    ]
    others = [
        s
        for (i, j), s, one in zip(pairs, scores, same, strict=True)
        if not one and labels[i] == labels[j]
    ]
    np.fill_diagonal(cosines, -2)
    nearest = np.argsort(-cosines, axis=1)[:, :10]

    result = identity_leakage(values, labels, people)

    assert result.verification_auc.value == pytest.approx(roc_auc_score(same, scores))
    assert result.same_person_share.value == pytest.approx(
        np.mean(people[nearest] == people[:, None])
    )
    assert result.cosine_gap is not None
    assert result.cosine_gap.value == pytest.approx(np.mean(own) - np.mean(others))
    sizes = np.bincount(people)[people]
    assert result.same_person_share.chance == pytest.approx(np.mean(sizes - 1) / 149)
    assert result.most_possible_share == pytest.approx(
        np.mean(np.minimum(sizes - 1, 10) / 10)
    )
    assert (result.people, result.images) == (15, 150)
    for estimate in (
        result.verification_auc,
        result.same_person_share,
        result.cosine_gap,
    ):
        low, high = estimate.interval
        assert low < estimate.value < high


def _summary(result: IdentityResult) -> tuple[float, float, float]:
    assert result.cosine_gap is not None
    return (
        result.verification_auc.value,
        result.same_person_share.value - result.same_person_share.chance,
        result.cosine_gap.value,
    )


def test_identity_leakage__tells_identity_from_expression() -> None:
    nobody = identity_leakage(*_faces(0, 2))
    auc, share, gap = _summary(nobody)
    assert auc == pytest.approx(0.5, abs=0.03)
    assert share == pytest.approx(0, abs=0.03)
    assert gap < -0.3
    low, high = nobody.verification_auc.interval
    assert low < 0.5 < high
    auc, share, gap = _summary(identity_leakage(*_faces(2, 0)))
    assert auc > 0.9
    assert share > 0.4
    assert gap > 0.3


def test_identity_leakage__pairs_are_sampled_beyond_a_number(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    faces = _faces(1, 1)
    exact = identity_leakage(*faces).verification_auc
    # There are about 700 pairs of one person, and over ten times as many others.
    monkeypatch.setattr(identity, "MAX_PAIRS", 600)
    monkeypatch.setattr(verification, "_PAIRS_AT_ONCE", 100)
    sampled = identity_leakage(*faces).verification_auc
    assert sampled.value == pytest.approx(exact.value, abs=0.05)
    assert sampled.value != exact.value
    assert sampled == identity_leakage(*faces).verification_auc


def test_drawn_pairs_are_what_they_are_called(monkeypatch: pytest.MonkeyPatch) -> None:
    _, person = np.unique(_faces(0, 0)[2], return_inverse=True)
    for limit in (50, 10**6):
        monkeypatch.setattr(identity, "MAX_PAIRS", limit)
        rng = np.random.default_rng(0)
        same = identity._same_pairs(person, rng)
        other = identity._other_pairs(person, rng)
        assert (person[same.first] == person[same.second]).all()
        assert (same.first != same.second).all()
        assert (person[other.first] != person[other.second]).all()
    assert len(same.first) + len(other.first) == 150 * 149 / 2


def test_identity_leakage__interval_is_that_of_resampled_people() -> None:
    values, labels, people = _faces(1, 1)
    auc = identity_leakage(values, labels, people).verification_auc
    # Leaving out one person at a time gives an independent standard error.
    left_out = [
        identity_leakage(values[kept], labels[kept], people[kept])
        for kept in (people != one for one in np.unique(people))
    ]
    estimates = [result.verification_auc.value for result in left_out]
    error = np.sqrt(14 / 15 * np.sum((estimates - np.mean(estimates)) ** 2))
    low, high = auc.interval
    assert (high - low) / (2 * 1.96) == pytest.approx(error, rel=0.35)


def test_identity_leakage__without_pairs_of_a_kind() -> None:
    values, labels, people = _faces(1, 1)
    result = identity_leakage(values, np.zeros_like(labels), people)
    assert result.cosine_gap is None
    with pytest.raises(InputError, match="needs two people"):
        identity_leakage(values, labels, np.zeros_like(people))
    with pytest.raises(InputError, match="two images of one"):
        identity_leakage(values, labels, np.arange(150))
