"""Evaluating several encoders on the same sets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from contrawarp_edge.core.errors import InputError
from lightly_contrawarp.data.labelled import LabelledImages
from lightly_contrawarp.data.sets import FecTriplets
from lightly_contrawarp.evaluation.encoders.encoders import Encoder, TorchEncoder
from lightly_contrawarp.evaluation.encoders.feature_cache import FeatureCache
from lightly_contrawarp.evaluation.evaluate import Evaluation, Sets, evaluate
from lightly_contrawarp.evaluation.measures.registry import MEASURES
from lightly_contrawarp.evaluation.progress import EvaluationProgress
from lightly_contrawarp.evaluation.results import DataFacts, Results, SearchedFacts
from lightly_contrawarp.evaluation.settings import EvaluationSettings
from lightly_contrawarp.evaluation.splits import Split, common_space, own_space
from lightly_contrawarp.evaluation.statistics.intervals import RESAMPLES
from lightly_contrawarp.evaluation.versions import versions


@dataclass(frozen=True)
class Comparison:
    """Encoders side by side.

    Attributes:
        sets: What they were evaluated on.
        settings: What was measured, and how.
        evaluations: What came out, by the name of the encoder.
    """

    sets: Sets
    settings: EvaluationSettings
    evaluations: dict[str, Evaluation]

    @property
    def results(self) -> Results:
        """All there is to tell."""
        settings = asdict(self.settings)
        for measure in MEASURES.values():
            settings |= measure.choices
        return Results(
            settings={**settings, "bootstrap_resamples": RESAMPLES},
            versions=versions(),
            data=self._data(),
            encoders={name: one.result for name, one in self.evaluations.items()},
            searched={
                name: SearchedFacts(self.found(name).facts, features.unreadable)
                for name, features in self._first.searched.items()
            },
        )

    @property
    def tested(self) -> Split | None:
        """The readable items of the test set, if there is one."""
        if self.sets.probed is None or self._first.probed is None:
            return None
        return self.sets.probed[1].take(self._first.probed.test.rows)

    def found(self, name: str) -> Split:
        """The readable items of a set that is only searched."""
        return self.sets.searched[name].take(self._first.searched[name].rows)

    @property
    def _first(self) -> Evaluation:
        # What could be read is the same for every encoder.
        return next(iter(self.evaluations.values()))

    def _data(self) -> DataFacts | None:
        probed, test = self._first.probed, self.tested
        if self.sets.probed is None or probed is None or test is None:
            return None
        train = self.sets.probed[0].take(probed.train_rows)
        return DataFacts(
            train.classes,
            train.facts,
            test.facts,
            probed.unreadable,
            probed.overlap.facts,
        )


def compare(
    encoders: Mapping[str, Encoder],
    train: LabelledImages | None,
    test: LabelledImages | None,
    settings: EvaluationSettings,
    *,
    searched: Mapping[str, LabelledImages] | None = None,
    triplets: FecTriplets | None = None,
    cache: FeatureCache | None = None,
    progress: EvaluationProgress | None = None,
) -> Comparison:
    """Evaluates encoders.

    Args:
        encoders: What to evaluate, by the name to call it.
        train: Images that the probes learn from, without a transform.
        test: Images that they are scored on, without a transform. Without both, sets
            are only searched.
        settings: What to measure, and how.
        searched: Sets with people that are only searched, by the name to call them.
        triplets: Faces of which people said which two are alike.
        cache: Where features are kept between runs.
        progress: Is told how far it has come.

    Raises:
        InputError: If an encoder or the images cannot be used, sets are missing, or an
            encoder is to be fine-tuned that cannot be.
    """
    _check_given(encoders, train, test, searched, triplets)
    if settings.fine_tuning is not None:
        _check_trainable(encoders)
    sets = Sets(
        None if train is None or test is None else common_space(train, test),
        {name: own_space(images) for name, images in (searched or {}).items()},
        triplets,
    )
    evaluations: dict[str, Evaluation] = {}
    probed = None
    for name, encoder in encoders.items():
        hooks: dict[str, Any] = {}
        if progress is not None:
            progress.start(name, sets.images)
            hooks = {"on_progress": progress.images, "on_stage": progress.stage}
        one = evaluate(encoder, sets, settings, known=probed, cache=cache, **hooks)
        evaluations[name], probed = one, one.probed
    return Comparison(sets, settings, evaluations)


def _check_given(
    encoders: Mapping[str, Encoder],
    train: LabelledImages | None,
    test: LabelledImages | None,
    searched: Mapping[str, LabelledImages] | None,
    triplets: FecTriplets | None,
) -> None:
    if not encoders:
        raise InputError("there is no encoder to evaluate")
    if (train is None) != (test is None):
        alone, missing = ("test", "train") if train is None else ("train", "test")
        raise InputError(f"{alone} is given without {missing}; give both, or neither")
    if train is None and not searched:
        raise InputError("there is no set; give train and test, or sets to search")
    if train is None and triplets is not None:
        raise InputError("triplets need the probes beside them; give train and test")


def _check_trainable(encoders: Mapping[str, Encoder]) -> None:
    for name, encoder in encoders.items():
        if not isinstance(encoder, TorchEncoder):
            raise InputError(
                f"{name}: an exported model cannot be fine-tuned; give its checkpoint"
            )
