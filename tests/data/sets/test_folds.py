from collections import Counter

import numpy as np
import pytest

from contrawarp_edge.core.errors import InputError
from lightly_contrawarp.data.sets.folds import Folds

SPLITS = ("train", "validation", "test")


def _people(count: int, seed: int = 0) -> tuple[list[str], list[str]]:
    rng = np.random.default_rng(seed)
    groups = [str(person) for person in range(count) for _ in range(rng.integers(1, 9))]
    return rng.choice(["sad", "happy", "fear"], len(groups)).tolist(), groups


def _take(folds: Folds, labels: list[str], groups: list[str]) -> list[list[int]]:
    items = range(len(labels))
    return [folds.take(split, items, labels, groups) for split in SPLITS]


@pytest.mark.parametrize("count", [3, 5, 10])
def test_folds__every_person_is_tested_once(count: int) -> None:
    labels, groups = _people(40)
    tested: list[int] = []
    for fold in range(count):
        train, validation, test = _take(Folds(fold, count), labels, groups)
        assert sorted(train + validation + test) == list(range(len(labels)))
        for split in (train, validation, test):
            assert split == sorted(split)
        people = [{groups[i] for i in split} for split in (train, validation, test)]
        assert sum(map(len, people)) == 40
        assert len(test) == pytest.approx(len(labels) / count, rel=0.35)
        tested += test
        _, next_validation, _ = _take(Folds((fold - 1) % count, count), labels, groups)
        assert test == next_validation
    assert sorted(tested) == list(range(len(labels)))


def test_folds__seed() -> None:
    labels, groups = _people(40)
    assert _take(Folds(), labels, groups) == _take(Folds(), labels, groups)
    assert _take(Folds(), labels, groups) != _take(Folds(seed=1), labels, groups)


def test_folds__classes_are_balanced() -> None:
    # Each person shows one class, so dealing at random would give an uneven mix.
    groups = [str(person) for person in range(50) for _ in range(4)]
    labels = ["fear" if int(person) < 10 else "happy" for person in groups]
    for split in _take(Folds(), labels, groups):
        counts = Counter(labels[i] for i in split)
        assert counts["happy"] == 4 * counts["fear"]


@pytest.mark.parametrize(
    ("folds", "message"),
    [
        (Folds(0, 2), "fold 0 of 2: at least 3 folds"),
        (Folds(5, 5), "fold 5 of 5"),
        (Folds(-1, 5), "fold -1 of 5"),
        (Folds(0, 6), "5 people or photos cannot be dealt into 6 folds"),
    ],
)
def test_folds__impossible(folds: Folds, message: str) -> None:
    with pytest.raises(InputError, match=message):
        folds.take("test", range(5), ["sad", "happy"] * 2 + ["sad"], list("abcde"))


def test_folds__tiny_classes() -> None:
    groups = list("abcde")
    with pytest.raises(InputError, match="too few faces for 5 folds"):
        Folds().take("test", range(5), ["sad", "happy"] * 2 + ["sad"], groups)
    assert len(Folds().take("test", range(5), ["sad"] * 5, groups)) == 1
