import numpy as np
import pytest
import torch
from torchmetrics.functional.classification import multiclass_calibration_error

from lightly_contrawarp.evaluation.statistics.calibration import calibration

RNG = np.random.default_rng(0)
PROBABILITIES = RNG.dirichlet([0.6] * 4, size=500)
TRUTH = RNG.integers(4, size=500)


def _run(probabilities: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return probabilities.max(axis=1), probabilities.argmax(axis=1) == TRUTH


def test_calibration__is_that_of_torchmetrics_and_the_one_written_out() -> None:
    result = calibration([_run(PROBABILITIES)])
    expected = multiclass_calibration_error(
        torch.from_numpy(PROBABILITIES), torch.from_numpy(TRUTH), 4, n_bins=15
    )
    assert result.error == pytest.approx(float(expected), abs=1e-6)
    confidence, right = _run(PROBABILITIES)
    written_out, filled = 0.0, []
    for low in np.arange(15) / 15:
        inside = (confidence >= low) & (confidence < low + 1 / 15)
        if inside.any():
            gap = abs(right[inside].mean() - confidence[inside].mean())
            written_out += inside.mean() * gap
            filled.append(
                (inside.sum(), confidence[inside].mean(), right[inside].mean())
            )
    assert result.error == pytest.approx(written_out)
    found = [(x.images, x.confidence, x.accuracy) for x in result.reliability]
    np.testing.assert_allclose(found, filled)


def test_calibration__of_several_runs_is_their_mean() -> None:
    runs = [_run(PROBABILITIES), _run(RNG.dirichlet([0.6] * 4, size=500))]
    alone = [calibration([run]).error for run in runs]
    both = calibration(runs)
    assert both.error == pytest.approx(np.mean(alone))
    assert both.reliability == calibration(runs[:1]).reliability


def test_calibration__certainty() -> None:
    sure = np.ones(10)
    assert calibration([(sure, sure > 0)]).error == 0
    assert calibration([(sure, sure < 0)]).error == 1
