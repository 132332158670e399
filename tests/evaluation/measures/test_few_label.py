import numpy as np
import pytest

from contrawarp_edge.core.errors import InputError
from lightly_contrawarp.evaluation.measures.few_label import (
    FewLabelResult,
    draw_labels,
    few_label_probe,
)
from lightly_contrawarp.evaluation.measures.linear_probe import linear_probe

RNG = np.random.default_rng(0)
CENTRES = RNG.standard_normal((4, 10))


def _blobs(count: int) -> tuple[np.ndarray, np.ndarray]:
    labels = RNG.choice(4, size=count, p=(0.5, 0.3, 0.15, 0.05))
    values = CENTRES[labels] + 1.5 * RNG.standard_normal((count, 10))
    return values.astype(np.float32), labels


TRAIN, TEST = _blobs(1500), _blobs(400)


def test_draw_labels__is_stratified() -> None:
    rows = draw_labels(TRAIN[1], 0.1, seed=0)
    assert len(set(rows.tolist())) == len(rows)
    share = np.bincount(TRAIN[1][rows]) / np.bincount(TRAIN[1])
    assert share == pytest.approx(np.full(4, 0.1), abs=0.01)
    assert rows.tolist() == draw_labels(TRAIN[1], 0.1, seed=0).tolist()
    assert rows.tolist() != draw_labels(TRAIN[1], 0.1, seed=1).tolist()


def test_draw_labels__takes_two_of_a_rare_class() -> None:
    labels = np.array([0] * 100 + [1] * 5 + [2])
    drawn = labels[draw_labels(labels, 0.01, seed=0)]
    assert np.bincount(drawn).tolist() == [2, 2, 1]


@pytest.fixture(scope="module")
def results() -> list[FewLabelResult]:
    return few_label_probe(*TRAIN, *TEST, num_classes=4)


def test_few_label_probe__is_the_linear_probe_on_each_draw(
    results: list[FewLabelResult],
) -> None:
    assert [result.fraction for result in results] == [0.01, 0.1]
    tenth = results[1]
    assert tenth.images == pytest.approx(150, abs=2)
    for run in tenth.probe.runs:
        rows = draw_labels(TRAIN[1], 0.1, seed=run.seed)
        alone = linear_probe(
            TRAIN[0][rows], TRAIN[1][rows], *TEST, seeds=[run.seed], num_classes=4
        )
        assert alone.runs == [run]
    accuracies = [run.scores.accuracy for run in tenth.probe.runs]
    assert len(set(accuracies)) > 1
    assert tenth.probe.accuracy == pytest.approx(np.mean(accuracies))
    assert tenth.probe.spread == pytest.approx(np.std(accuracies, ddof=1))


def test_few_label_probe__more_labels_help(results: list[FewLabelResult]) -> None:
    everything = linear_probe(*TRAIN, *TEST, seeds=[0], num_classes=4)
    few, more = (result.probe for result in results)
    assert few.accuracy < more.accuracy < everything.accuracy + 0.02
    assert few.spread > more.spread > everything.spread == 0


def test_few_label_probe__with_one_image_of_a_class() -> None:
    values, labels = TRAIN[0][:2], np.array([0, 1])
    with pytest.raises(InputError, match="two training images each"):
        few_label_probe(values, labels, *TEST, num_classes=4)
