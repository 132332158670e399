from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from contrawarp_edge.core.errors import InputError
from helpers import MakeSet
from lightly_contrawarp.data.labelled import LabelledImages, LabelledItem
from lightly_contrawarp.evaluation.splits import common_space


def test_common_space__bad_sets(make_set: MakeSet) -> None:
    train, test = make_set("train", 2), make_set("test", 2, classes=("sad", "angry"))
    with pytest.raises(InputError, match="happy is not among the classes of"):
        common_space(test, train)


def test_common_space__numbers_as_in_train(make_set: MakeSet) -> None:
    train = make_set("train", 2)
    test = make_set("test", 2, classes=("angry", "sad"), people=2)
    _, split = common_space(train, test)
    assert split.classes == ["happy", "sad", "anger"]
    assert split.labels.tolist() == [1, 1, 2, 2]
    assert split.people is not None
    assert split.people.tolist() == [0, 1, 0, 1]
    assert split.targets == {}
    chosen = split.take(np.array([1, 3])).take(np.array([1]))
    assert (chosen.rows.tolist(), chosen.labels.tolist()) == ([3], [2])
    assert chosen.people is not None
    assert chosen.people.tolist() == [1]


def test_common_space__targets_are_those_of_both() -> None:
    def make(targets: list[dict[str, float]]) -> LabelledImages:
        items = [
            LabelledItem(f"{i}", "sad", lambda: Image.new("RGB", (1, 1)), None, one)
            for i, one in enumerate(targets)
        ]
        return LabelledImages("mine", Path("mine"), items)

    train = make([{"age": 1, "smile": 0.5}, {"age": 2, "smile": 0.25}])
    test = make([{"age": 7, "gaze": 1}, {"age": 8, "gaze": 0}, {"age": 9, "gaze": 0}])
    learned, scored = common_space(train, test)
    assert {name: values.tolist() for name, values in learned.targets.items()} == {
        "age": [1, 2]
    }
    assert scored.take(np.array([2, 0])).targets["age"].tolist() == [9, 7]
