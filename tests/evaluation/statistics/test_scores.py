import numpy as np
import pytest
from sklearn.metrics import confusion_matrix, f1_score, recall_score

from lightly_contrawarp.evaluation.statistics.intervals import resample_counts
from lightly_contrawarp.evaluation.statistics.scores import resample_scores, score

RNG = np.random.default_rng(0)
TRUTH = RNG.choice(4, size=120, p=(0.4, 0.3, 0.2, 0.1))
PREDICTED = np.where(RNG.random(120) < 0.6, TRUTH, RNG.integers(4, size=120))


def test_score__agrees_with_scikit_learn() -> None:
    scores = score(TRUTH, PREDICTED, num_classes=4)
    assert scores.confusion == confusion_matrix(TRUTH, PREDICTED).tolist()
    assert scores.accuracy == pytest.approx(np.mean(TRUTH == PREDICTED))
    assert scores.mean_class_accuracy == pytest.approx(
        recall_score(TRUTH, PREDICTED, average="macro")
    )
    assert scores.macro_f1 == pytest.approx(f1_score(TRUTH, PREDICTED, average="macro"))


def test_score__counts_only_classes_with_test_items() -> None:
    scores = score(np.array([0, 0, 1, 1]), np.array([0, 2, 1, 1]), num_classes=4)
    assert scores.accuracy == 0.75
    assert scores.mean_class_accuracy == 0.75
    assert scores.macro_f1 == pytest.approx((2 / 3 + 1) / 2)
    assert scores.confusion[0] == [1, 0, 1, 0]


def test_score__of_items_without_a_predicted_class() -> None:
    truth, predicted = np.array([0, 0, 1, 1]), np.array([0, 2, 1, 2])
    scores = score(truth, predicted, num_classes=2)
    assert (scores.accuracy, scores.mean_class_accuracy) == (0.5, 0.5)
    assert scores.macro_f1 == pytest.approx(
        f1_score(truth, predicted, average="macro", labels=[0, 1])
    )
    assert scores.confusion == [[1, 0], [0, 1]]


def test_resample_scores__are_those_of_the_repeated_items() -> None:
    resampled = resample_scores(TRUTH, PREDICTED, num_classes=4)
    for row, counts in list(zip(resampled, resample_counts(120), strict=True))[:20]:
        truth, predicted = np.repeat(TRUTH, counts), np.repeat(PREDICTED, counts)
        expected = (
            np.mean(truth == predicted),
            recall_score(truth, predicted, average="macro"),
            f1_score(truth, predicted, average="macro"),
        )
        assert row == pytest.approx(expected)


def test_score__intervals_contain_the_scores() -> None:
    scores = score(TRUTH, PREDICTED, num_classes=4)
    for value, (low, high) in (
        (scores.accuracy, scores.interval),
        (scores.mean_class_accuracy, scores.mean_class_interval),
        (scores.macro_f1, scores.macro_f1_interval),
    ):
        assert low < value < high
        assert high - low < 0.25
