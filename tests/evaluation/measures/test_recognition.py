import numpy as np
import pytest
from sklearn.metrics import accuracy_score, balanced_accuracy_score, confusion_matrix

from contrawarp_edge.core.errors import NotApplicableError
from lightly_contrawarp.evaluation.measures.recognition import recognition, table

KNOWN = ["anger", "happy", "sad"]


def test_recognition__agrees_with_scikit_learn_and_matches_classes_by_name() -> None:
    rng = np.random.default_rng(0)
    classes = ["sad", "contempt", "happy"]  # in another order, and one unknown
    labels = rng.integers(0, 3, 200)
    probabilities = rng.dirichlet(np.ones(3), 200)
    result = recognition(probabilities, KNOWN, labels, classes)
    used = labels != 1
    truth = np.array(["sad", "contempt", "happy"])[labels[used]]
    predicted = np.array(KNOWN)[probabilities[used].argmax(axis=1)]
    assert result.scores.accuracy == pytest.approx(accuracy_score(truth, predicted))
    with pytest.warns(UserWarning, match="not in y_true"):
        mean_class = balanced_accuracy_score(truth, predicted)
    assert result.scores.mean_class_accuracy == pytest.approx(mean_class)
    expected = confusion_matrix(truth, predicted, labels=KNOWN)
    assert result.scores.confusion == expected.tolist()
    assert result.left_out == {"contempt": int((labels == 1).sum())}
    assert result.classes == KNOWN
    (row,) = table({"m": result}).rows
    assert (row[0], row[-1]) == ("m", str((labels == 1).sum()))
    assert f"{(labels == 1).sum()} images are left out" in table({"m": result}).note


def test_recognition__of_classes_that_the_model_lacks() -> None:
    with pytest.raises(NotApplicableError, match="no image has a class of the model"):
        recognition(np.ones((2, 3)) / 3, KNOWN, np.zeros(2, int), ["contempt"])
