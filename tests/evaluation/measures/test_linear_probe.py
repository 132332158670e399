import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score, recall_score
from sklearn.preprocessing import StandardScaler
from torchmetrics.functional.classification import multiclass_calibration_error

from contrawarp_edge.core.errors import InputError
from lightly_contrawarp.evaluation.measures.linear_probe import (
    C_GRID,
    choose_c,
    fit_probe,
    linear_probe,
)

CLASSES = 4


def _blobs(count: int, *, spread: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    centres = np.random.default_rng(99).standard_normal((CLASSES, 12))
    labels = rng.choice(CLASSES, size=count, p=(0.4, 0.3, 0.2, 0.1))
    values = centres[labels] + spread * rng.standard_normal((count, 12))
    scales = np.logspace(-2, 2, 12)  # what standardising has to undo
    return (values * scales + 5).astype(np.float32), labels.astype(np.int64)


TRAIN = _blobs(300, spread=2.5, seed=0)
TEST = _blobs(200, spread=2.5, seed=1)


def test_linear_probe__is_the_scikit_learn_pipeline() -> None:
    result = linear_probe(*TRAIN, *TEST, seeds=(0, 1), num_classes=CLASSES)
    scaler = StandardScaler().fit(TRAIN[0])
    for run in result.runs:
        reference = LogisticRegression(C=run.c, max_iter=1000)
        reference.fit(scaler.transform(TRAIN[0]), TRAIN[1])
        predicted = reference.predict(scaler.transform(TEST[0]))
        scores = run.scores
        assert scores.accuracy == pytest.approx(np.mean(predicted == TEST[1]))
        assert scores.mean_class_accuracy == pytest.approx(
            recall_score(TEST[1], predicted, average="macro")
        )
        assert scores.macro_f1 == pytest.approx(
            f1_score(TEST[1], predicted, average="macro")
        )
        assert np.sum(scores.confusion) == len(TEST[1])
    assert [run.seed for run in result.runs] == [0, 1]
    assert result.feature_size == 12
    assert result.interval[0] < result.accuracy < result.interval[1]
    for name in ("accuracy", "mean_class_accuracy", "macro_f1"):
        values = [getattr(run.scores, name) for run in result.runs]
        assert getattr(result, name) == pytest.approx(np.mean(values))
    assert result.mean_class_interval[0] < result.mean_class_accuracy
    assert result.macro_f1_interval[1] > result.macro_f1


def test_linear_probe__separable() -> None:
    train, test = _blobs(200, spread=0.01, seed=0), _blobs(50, spread=0.01, seed=1)
    result = linear_probe(*train, *test, seeds=(0,), num_classes=CLASSES)
    assert result.accuracy == result.mean_class_accuracy == result.macro_f1 == 1
    assert result.interval == (1, 1)


def test_linear_probe__is_at_chance_without_signal() -> None:
    shuffled = np.random.default_rng(0).permutation(TRAIN[1])
    result = linear_probe(TRAIN[0], shuffled, *TEST, seeds=(0,), num_classes=CLASSES)
    assert result.mean_class_accuracy == pytest.approx(1 / CLASSES, abs=0.08)


def test_linear_probe__never_chooses_on_the_test_set() -> None:
    shuffled = np.random.default_rng(0).permutation(TEST[1])
    results = [
        linear_probe(*TRAIN, TEST[0], labels, seeds=(0, 1), num_classes=CLASSES)
        for labels in (TEST[1], shuffled)
    ]
    chosen, chosen_shuffled = ([run.c for run in result.runs] for result in results)
    assert chosen == chosen_shuffled
    assert results[0].accuracy > results[1].accuracy


def test_choose_c__depends_on_seed_alone() -> None:
    noisy = _blobs(150, spread=4, seed=2)
    chosen = [choose_c(*noisy, seed=seed) for seed in range(4)]
    assert chosen == [choose_c(*noisy, seed=seed) for seed in range(4)]
    assert len(set(chosen)) > 1
    assert set(chosen) <= set(C_GRID)


def test_choose_c__prefers_a_strong_penalty_where_features_are_noise() -> None:
    rng = np.random.default_rng(0)
    labels = np.repeat([0, 1], 300)
    values = rng.standard_normal((600, 200)).astype(np.float32)
    values[:, 0] += 1.5 * labels
    assert choose_c(values, labels, seed=0) <= 0.1


def test_linear_probe__rare_and_absent_classes() -> None:
    values, labels = TRAIN
    labels = np.where(labels == 3, 2, labels)
    labels[0] = 3  # a single example is trained on, not held out
    result = linear_probe(values, labels, *TEST, seeds=(0,), num_classes=6)
    assert np.shape(result.runs[0].scores.confusion) == (6, 6)
    with pytest.raises(InputError, match="two training images each"):
        linear_probe(values[:3], np.arange(3), *TEST, seeds=(0,), num_classes=6)


def test_linear_probe__without_duplicates_and_calibration() -> None:
    duplicated = np.arange(200) % 3 == 0
    result = linear_probe(
        *TRAIN, *TEST, seeds=(0, 1), num_classes=CLASSES, duplicated=duplicated
    )
    kept = TEST[0][~duplicated], TEST[1][~duplicated]
    alone = linear_probe(*TRAIN, *kept, seeds=(0, 1), num_classes=CLASSES)
    assert result.accuracy_without_duplicates == pytest.approx(alone.accuracy)
    assert alone.accuracy_without_duplicates is None
    errors = []
    for run in result.runs:
        probe = fit_probe(*TRAIN, run.c)
        probabilities = torch.from_numpy(probe.predict_proba(TEST[0]))
        errors.append(
            multiclass_calibration_error(
                probabilities, torch.from_numpy(TEST[1]), CLASSES, n_bins=15
            )
        )
    assert result.calibration is not None
    assert result.calibration.error == pytest.approx(np.mean(errors), abs=1e-6)
    every = np.ones(200, bool)
    none = linear_probe(
        *TRAIN, *TEST, seeds=(0,), num_classes=CLASSES, duplicated=every
    )
    assert none.accuracy_without_duplicates is None
