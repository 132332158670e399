import numpy as np
import pytest
from scipy.sparse import csr_array

from lightly_contrawarp.evaluation.measures.knn_probe import knn_probe
from lightly_contrawarp.evaluation.statistics.scores import Scores, score

CLASSES = 4
RNG = np.random.default_rng(0)
CENTRES = RNG.standard_normal((CLASSES, 12))


def _blobs(count: int) -> tuple[np.ndarray, np.ndarray]:
    labels = RNG.choice(CLASSES, size=count, p=(0.4, 0.3, 0.2, 0.1))
    values = CENTRES[labels] + 2.5 * RNG.standard_normal((count, 12))
    return values.astype(np.float32), labels


TRAIN, TEST = _blobs(300), _blobs(200)


def _written_out(k: int, left_out: np.ndarray, temperature: float = 0.3) -> Scores:
    bank, queries = (
        x / np.linalg.norm(x, axis=1)[:, None] for x in (TRAIN[0], TEST[0])
    )
    predicted = []
    for row, none in zip(queries @ bank.T, left_out, strict=True):
        nearest = [i for i in np.argsort(-row) if not none[i]][:k]
        votes = np.zeros(CLASSES)
        # A common factor of the weights changes nothing.
        weights = np.exp((row[nearest] - row[nearest].max(initial=-1)) / temperature)
        np.add.at(votes, TRAIN[1][nearest], weights)
        predicted.append(votes.argmax() if nearest else CLASSES)
    return score(TEST[1], np.array(predicted), num_classes=CLASSES)


@pytest.mark.parametrize("k", [1, 7, 50])
def test_knn_probe__is_a_weighted_vote(k: int) -> None:
    (result,) = knn_probe(*TRAIN, *TEST, num_classes=CLASSES, ks=[k], temperature=0.3)
    assert result.scores == _written_out(k, np.zeros((200, 300)))
    assert (result.k, result.k_used, result.temperature) == (k, k, 0.3)


def test_knn_probe__k_is_clamped() -> None:
    few = TRAIN[0][:30], TRAIN[1][:30]
    results = knn_probe(*few, *TEST, num_classes=CLASSES)
    assert [(r.k, r.k_used) for r in results] == [(5, 5), (20, 20), (200, 30)]


def test_knn_probe__what_is_left_out_has_no_vote() -> None:
    rng = np.random.default_rng(1)
    left_out = rng.random((200, 300)) < 0.6
    (result,) = knn_probe(
        *TRAIN,
        *TEST,
        num_classes=CLASSES,
        ks=[7],
        temperature=0.3,
        left_out=csr_array(left_out),
    )
    assert result.scores == _written_out(7, left_out)


def test_knn_probe__without_any_neighbour_it_is_wrong() -> None:
    left_out = np.zeros((200, 300), bool)
    left_out[TEST[1] == 0] = True
    left_out[TEST[1] == 1, 2:] = True  # fewer are left than vote
    (result,) = knn_probe(
        *TRAIN, *TEST, num_classes=CLASSES, ks=[7], left_out=csr_array(left_out)
    )
    assert result.scores == _written_out(7, left_out, temperature=0.07)
    assert result.scores.confusion[0] == [0] * CLASSES
    assert result.scores.accuracy <= np.mean(TEST[1] != 0)


def test_knn_probe__a_small_temperature_is_the_nearest_alone() -> None:
    nearest, many = (
        knn_probe(*TRAIN, *TEST, num_classes=CLASSES, ks=[k], temperature=1e-9)[0]
        for k in (1, 50)
    )
    assert many.scores == nearest.scores
    assert many.scores.accuracy > 0.3


def test_knn_probe__duplicates_flatter_until_they_are_left_out() -> None:
    labels = np.arange(300) % CLASSES
    copies = RNG.standard_normal((300, 12)).astype(np.float32)
    bank = np.concatenate([copies, TRAIN[0]]), np.concatenate([labels, TRAIN[1]])
    same = csr_array(np.eye(300, 600, dtype=bool))
    told, honest = (
        knn_probe(*bank, copies, labels, num_classes=CLASSES, ks=[1], left_out=mask)[
            0
        ].scores.accuracy
        for mask in (None, same)
    )
    assert told == 1
    assert honest == pytest.approx(0.25, abs=0.1)
