"""Evaluating several encoders on one labelled set."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from importlib.metadata import version
from typing import Any

from contrawarp_edge.core.errors import InputError
from lightly_contrawarp.data.labelled import LabelledImages
from lightly_contrawarp.data.sets import FecTriplets
from lightly_contrawarp.evaluation.encoders.encoders import Encoder, TorchEncoder
from lightly_contrawarp.evaluation.encoders.feature_cache import FeatureCache
from lightly_contrawarp.evaluation.evaluate import Evaluation, evaluate
from lightly_contrawarp.evaluation.measures.registry import MEASURES
from lightly_contrawarp.evaluation.progress import EvaluationProgress
from lightly_contrawarp.evaluation.results import DataFacts, Results
from lightly_contrawarp.evaluation.settings import EvaluationSettings
from lightly_contrawarp.evaluation.splits import Split, common_space
from lightly_contrawarp.evaluation.statistics.intervals import RESAMPLES

_PACKAGES = (
    *("lightly-contrawarp", "contrawarp-edge", "lightly", "torch", "torchvision"),
    *("scikit-learn", "numpy", "pillow", "onnxruntime"),
)


@dataclass(frozen=True)
class Comparison:
    """Encoders side by side.

    Attributes:
        train: What the probes learned from.
        test: What they were scored on.
        settings: What was measured, and how.
        evaluations: What came out, by the name of the encoder.
    """

    train: Split
    test: Split
    settings: EvaluationSettings
    evaluations: dict[str, Evaluation]

    @property
    def results(self) -> Results:
        """All there is to tell."""
        # What could be read is the same for every encoder.
        first = next(iter(self.evaluations.values()))
        settings = asdict(self.settings)
        for measure in MEASURES.values():
            settings |= measure.choices
        return Results(
            settings={**settings, "bootstrap_resamples": RESAMPLES},
            versions=versions(),
            data=DataFacts(
                classes=self.train.classes,
                train=self.train.take(first.train_rows).facts,
                test=self.test.take(first.test.rows).facts,
                unreadable=first.unreadable,
            ),
            encoders={name: one.result for name, one in self.evaluations.items()},
        )


def compare(
    encoders: Mapping[str, Encoder],
    train: LabelledImages,
    test: LabelledImages,
    settings: EvaluationSettings,
    *,
    triplets: FecTriplets | None = None,
    cache: FeatureCache | None = None,
    progress: EvaluationProgress | None = None,
) -> Comparison:
    """Evaluates encoders.

    Args:
        encoders: What to evaluate, by the name to call it.
        train: Images that the probes learn from, without a transform.
        test: Images that they are scored on, without a transform.
        settings: What to measure, and how.
        triplets: Faces of which people said which two are alike.
        cache: Where features are kept between runs.
        progress: Is told how far it has come.

    Raises:
        InputError: If an encoder or the images cannot be used, or an encoder is to be
            fine-tuned that cannot be.
    """
    if settings.fine_tuning is not None:
        _check_trainable(encoders)
    splits = common_space(train, test)
    images = len(train) + len(test) + (len(triplets.faces) if triplets else 0)
    evaluations = {}
    for name, encoder in encoders.items():
        hooks: dict[str, Any] = {}
        if progress is not None:
            progress.start(name, images)
            hooks = {"on_progress": progress.images, "on_stage": progress.stage}
        evaluations[name] = evaluate(
            encoder, *splits, settings, triplets=triplets, cache=cache, **hooks
        )
    return Comparison(*splits, settings, evaluations)


def versions() -> dict[str, str]:
    """Versions of everything that numbers may depend on."""
    packages = {name: version(name) for name in _PACKAGES}
    return {"python": platform.python_version(), **packages}


def _check_trainable(encoders: Mapping[str, Encoder]) -> None:
    for name, encoder in encoders.items():
        if not isinstance(encoder, TorchEncoder):
            raise InputError(
                f"{name}: an exported model cannot be fine-tuned; give its checkpoint"
            )
