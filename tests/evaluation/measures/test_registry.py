import dataclasses

import numpy as np
import pytest
from scipy.sparse import csr_array

from helpers import MakeSet
from lightly_contrawarp.evaluation.encoders.encoders import TorchEncoder
from lightly_contrawarp.evaluation.encoders.features import Features
from lightly_contrawarp.evaluation.measures.registry import MEASURES, Embedded, Need
from lightly_contrawarp.evaluation.overlap import Overlap
from lightly_contrawarp.evaluation.settings import EvaluationSettings, FineTuneSettings
from lightly_contrawarp.evaluation.splits import common_space


@pytest.fixture
def embedded(make_set: MakeSet, encoder: TorchEncoder) -> Embedded:
    train, test = common_space(make_set("train", 3), make_set("test", 2))
    values = np.zeros((9, 3), np.float32), np.zeros((6, 3), np.float32)
    settings = EvaluationSettings()
    return Embedded(
        test=test,
        test_x=values[1],
        encoder=encoder,
        test_scores=None,
        train=train,
        train_x=values[0],
        overlap=Overlap(csr_array((6, 9), dtype=bool), None),
        settings=settings,
    )


def test_needs_are_met_by_what_is_there_or_asked_for(embedded: Embedded) -> None:
    assert embedded.meets == set()
    asked = EvaluationSettings(few_label=True, fine_tuning=FineTuneSettings())
    targets = {"age": np.zeros(9)}
    everything = dataclasses.replace(
        embedded,
        settings=asked,
        train=dataclasses.replace(embedded.train, targets=targets),
        test=dataclasses.replace(embedded.test, people=np.zeros(6, int)),
        test_scores=np.ones((6, 1), np.float32),
        triplets=(
            Features(embedded.test_x, np.arange(6), np.zeros((6, 1), np.uint8), []),
            object(),
        ),
    )
    assert everything.meets == set(Need)
    exported = dataclasses.replace(everything, encoder=object())  # no module to train
    assert Need.FINE_TUNING not in exported.meets


def test_what_is_always_measured() -> None:
    always = [name for name, measure in MEASURES.items() if measure.need is None]
    assert always == ["linear_probe", "knn", "retrieval"]
