import numpy as np
import pytest

from lightly_contrawarp.evaluation.measures.knn_probe import knn_probe
from lightly_contrawarp.evaluation.statistics.scores import score

CLASSES = 4
RNG = np.random.default_rng(0)
CENTRES = RNG.standard_normal((CLASSES, 12))


def _blobs(count: int) -> tuple[np.ndarray, np.ndarray]:
    labels = RNG.choice(CLASSES, size=count, p=(0.4, 0.3, 0.2, 0.1))
    values = CENTRES[labels] + 2.5 * RNG.standard_normal((count, 12))
    return values.astype(np.float32), labels


TRAIN, TEST = _blobs(300), _blobs(200)


@pytest.mark.parametrize("k", [1, 7, 50])
def test_knn_probe__is_a_weighted_vote(k: int) -> None:
    (result,) = knn_probe(*TRAIN, *TEST, num_classes=CLASSES, ks=[k], temperature=0.3)
    bank, queries = (
        x / np.linalg.norm(x, axis=1)[:, None] for x in (TRAIN[0], TEST[0])
    )
    cosines = queries @ bank.T
    predicted = []
    for row in cosines:
        nearest = np.argsort(-row)[:k]
        votes = np.zeros(CLASSES)
        np.add.at(votes, TRAIN[1][nearest], np.exp(row[nearest] / 0.3))
        predicted.append(votes.argmax())
    expected = score(TEST[1], np.array(predicted), num_classes=CLASSES)
    assert result.scores == expected
    assert (result.k, result.k_used, result.temperature) == (k, k, 0.3)


def test_knn_probe__k_is_clamped() -> None:
    few = TRAIN[0][:30], TRAIN[1][:30]
    results = knn_probe(*few, *TEST, num_classes=CLASSES)
    assert [(r.k, r.k_used) for r in results] == [(5, 5), (20, 20), (200, 30)]
