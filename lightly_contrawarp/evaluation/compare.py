"""Evaluating several encoders on one labelled set."""

from __future__ import annotations

import platform
import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from importlib.metadata import version
from typing import Any

from contrawarp_edge.core.errors import InputError
from contrawarp_edge.core.progress import Progress
from lightly_contrawarp.data.labelled import LabelledImages
from lightly_contrawarp.data.sets import FecTriplets
from lightly_contrawarp.evaluation.encoders.encoders import Encoder, TorchEncoder
from lightly_contrawarp.evaluation.encoders.feature_cache import FeatureCache
from lightly_contrawarp.evaluation.evaluate import (
    Evaluation,
    EvaluationSettings,
    evaluate,
)
from lightly_contrawarp.evaluation.measures.few_label import DRAWS, FRACTIONS
from lightly_contrawarp.evaluation.measures.identity import MAX_PAIRS
from lightly_contrawarp.evaluation.measures.linear_probe import C_GRID
from lightly_contrawarp.evaluation.measures.regression import ALPHAS
from lightly_contrawarp.evaluation.splits import Part, common_space
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

    train: Part
    test: Part
    settings: EvaluationSettings
    evaluations: dict[str, Evaluation]

    @property
    def results(self) -> dict[str, dict[str, Any]]:
        """The measures by the name of the encoder, as plain values."""
        return {name: one.result for name, one in self.evaluations.items()}

    @property
    def unreadable(self) -> list[str]:
        """A line for each image that was left out; the same for every encoder."""
        return next(iter(self.evaluations.values())).unreadable

    def to_dict(self) -> dict[str, Any]:
        """All there is to tell, as values that JSON can hold."""
        first = next(iter(self.evaluations.values()))
        return {
            "settings": {
                **asdict(self.settings),
                "c_grid": C_GRID,
                "few_label_fractions": FRACTIONS,
                "few_label_draws": DRAWS,
                "ridge_alphas": ALPHAS,
                "most_verification_pairs": MAX_PAIRS,
                "bootstrap_resamples": RESAMPLES,
            },
            "versions": versions(),
            "data": {
                "classes": self.train.classes,
                "train": self.train.take(first.train_rows).describe(),
                "test": self.test.take(first.test.rows).describe(),
                "unreadable": self.unreadable,
            },
            "encoders": self.results,
        }


def compare(
    encoders: Mapping[str, Encoder],
    train: LabelledImages,
    test: LabelledImages,
    settings: EvaluationSettings,
    *,
    triplets: FecTriplets | None = None,
    cache: FeatureCache | None = None,
) -> Comparison:
    """Evaluates encoders; progress goes to standard error.

    Args:
        encoders: What to evaluate, by the name to call it.
        train: Images that the probes learn from, without a transform.
        test: Images that they are scored on, without a transform.
        settings: What to measure, and how.
        triplets: Comparisons of faces by people, to compare with.
        cache: Where features are kept between runs.

    Raises:
        InputError: If an encoder or the images cannot be used, or an encoder is to be
            fine-tuned that cannot be.
    """
    if settings.fine_tuning is not None:
        _check_trainable(encoders)
    train_part, test_part = common_space(train, test)
    images = len(train) + len(test) + (len(triplets.faces) if triplets else 0)
    evaluations = {}
    for name, encoder in encoders.items():
        progress = Progress(images)
        evaluations[name] = evaluate(
            encoder,
            train_part,
            test_part,
            settings,
            triplets=triplets,
            cache=cache,
            on_progress=progress.update,
            say=_speaker(name, progress),
        )
    return Comparison(train_part, test_part, settings, evaluations)


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


def _speaker(name: str, progress: Progress) -> Callable[[str], None]:
    def say(stage: str) -> None:
        progress.clear()
        print(f"{name}: {stage}", file=sys.stderr)

    return say
