"""The measures: their names, what they need, how they are run, and their tables."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum, auto
from functools import partial
from typing import Any

from jaxtyping import Shaped

from lightly_contrawarp.data.sets import FecTriplets
from lightly_contrawarp.evaluation.encoders.encoders import Encoder, TorchEncoder
from lightly_contrawarp.evaluation.encoders.features import Features
from lightly_contrawarp.evaluation.measures import (
    expression_verification,
    few_label,
    fine_tuning,
    identity,
    knn_probe,
    linear_probe,
    nearest,
    recognition,
    regression,
    retrieval,
    triplets,
)
from lightly_contrawarp.evaluation.overlap import Overlap
from lightly_contrawarp.evaluation.settings import EvaluationSettings
from lightly_contrawarp.evaluation.splits import Split
from lightly_contrawarp.evaluation.statistics import calibration
from lightly_contrawarp.evaluation.statistics.arrays import Floats, Ints
from lightly_contrawarp.evaluation.statistics.near_duplicates import THRESHOLD
from lightly_contrawarp.evaluation.tables import Table


class Need(Enum):
    """What only some sets, encoders or runs have; labels are always there."""

    CLASSES = auto()
    PEOPLE = auto()
    TARGETS = auto()
    TRIPLETS = auto()
    FEW_LABEL = auto()
    FINE_TUNING = auto()


@dataclass(frozen=True)
class Searched:
    """What measures of search are taken on.

    Attributes:
        test: The items that are searched.
        test_x: Their features, float32.
        encoder: The encoder.
        test_scores: Probabilities of the encoder's classes, if it has any.
    """

    test: Split
    test_x: Shaped[Floats, "t d"]
    encoder: Encoder
    test_scores: Shaped[Floats, "t known"] | None

    @property
    def meets(self) -> set[Need]:
        """What is there."""
        found = {
            Need.PEOPLE: self.test.people is not None,
            Need.CLASSES: self.test_scores is not None,
        }
        return {need for need, is_met in found.items() if is_met}


@dataclass(frozen=True)
class Embedded(Searched):
    """What all measures are taken on.

    Attributes:
        train: The items to learn from.
        train_x: Their features, float32.
        overlap: What the test items share with these.
        settings: How to measure.
        triplets: Features of the faces of triplets, and the triplets, if there are any.
    """

    train: Split
    train_x: Shaped[Floats, "n d"]
    overlap: Overlap
    settings: EvaluationSettings
    triplets: tuple[Features, FecTriplets] | None = None

    @property
    def labelled(
        self,
    ) -> tuple[
        Shaped[Floats, "n d"],
        Shaped[Ints, " n"],
        Shaped[Floats, "t d"],
        Shaped[Ints, " t"],
    ]:
        """Features and classes of train, then of test."""
        return self.train_x, self.train.labels, self.test_x, self.test.labels

    @property
    def num_classes(self) -> int:
        """Number of classes."""
        return len(self.train.classes)

    @property
    def meets(self) -> set[Need]:
        """What is there, or is asked for."""
        found = {
            Need.TARGETS: bool(self.train.targets),
            Need.TRIPLETS: self.triplets is not None,
            Need.FEW_LABEL: self.settings.few_label,
            Need.FINE_TUNING: self.settings.fine_tuning is not None
            and isinstance(self.encoder, TorchEncoder),
        }
        return super().meets | {need for need, is_met in found.items() if is_met}


@dataclass(frozen=True)
class Measure:
    """A measure.

    Attributes:
        result: Type of what it gives: a dataclass, or a list of them.
        run: Takes it on an `Embedded`, or one of `SEARCH_MEASURES` on a `Searched`;
            raises `InputError` if the data are too few.
        table: Lays out results by the name of the encoder.
        need: What it cannot do without, besides labels.
        choices: Fixed choices, to be noted beside the settings.
    """

    result: Any
    run: Callable[[Any], Any]
    table: Callable[[Mapping[str, Any]], Table]
    need: Need | None = None
    choices: Mapping[str, Any] = field(default_factory=dict)


LINEAR_PROBE = "linear_probe"
"""The measure that is always there: an error where it cannot be taken."""

SEARCH_MEASURES: dict[str, Measure] = {
    "recognition": Measure(
        recognition.RecognitionResult,
        lambda on: recognition.recognition(
            on.test_scores, on.encoder.info.classes, on.test.labels, on.test.classes
        ),
        recognition.table,
        Need.CLASSES,
    ),
    "retrieval_other_people": Measure(
        retrieval.RetrievalResult,
        lambda on: retrieval.retrieval(
            on.test_x, on.test.labels, identities=on.test.people
        ),
        partial(retrieval.table, other_people=True),
        Need.PEOPLE,
    ),
    "expression_verification": Measure(
        expression_verification.ExpressionVerificationResult,
        lambda on: expression_verification.expression_verification(
            on.test_x, on.test.labels, on.test.people, on.test.classes
        ),
        expression_verification.table,
        Need.PEOPLE,
        {
            "most_expression_pairs": expression_verification.MAX_PAIRS,
            "many_class_pairs": expression_verification.MANY_CLASS_PAIRS,
        },
    ),
    "nearest": Measure(
        nearest.NearestResult,
        lambda on: nearest.nearest(on.test_x, on.test.labels, on.test.people),
        nearest.table,
        Need.PEOPLE,
    ),
    "identity": Measure(
        identity.IdentityResult,
        lambda on: identity.identity_leakage(on.test_x, on.test.labels, on.test.people),
        identity.table,
        Need.PEOPLE,
        {"most_verification_pairs": identity.MAX_PAIRS},
    ),
}
"""The measures that need no probe: those of a set that is only searched."""

MEASURES: dict[str, Measure] = {
    LINEAR_PROBE: Measure(
        linear_probe.LinearProbeResult,
        lambda on: linear_probe.linear_probe(
            *on.labelled,
            seeds=on.settings.seeds,
            num_classes=on.num_classes,
            duplicated=on.overlap.near_duplicates.sum(axis=1) > 0,
        ),
        linear_probe.table,
        choices={"c_grid": linear_probe.C_GRID, "calibration_bins": calibration.BINS},
    ),
    "knn": Measure(
        list[knn_probe.KnnResult],
        lambda on: knn_probe.knn_probe(
            *on.labelled,
            num_classes=on.num_classes,
            ks=on.settings.ks,
            temperature=on.settings.temperature,
            left_out=on.overlap.left_out,
        ),
        knn_probe.table,
        choices={"near_duplicate_correlation": THRESHOLD},
    ),
    "few_label": Measure(
        list[few_label.FewLabelResult],
        lambda on: few_label.few_label_probe(*on.labelled, num_classes=on.num_classes),
        few_label.table,
        Need.FEW_LABEL,
        {
            "few_label_fractions": few_label.FRACTIONS,
            "few_label_draws": few_label.DRAWS,
        },
    ),
    "fine_tuning": Measure(
        fine_tuning.FineTuneResult,
        lambda on: fine_tuning.fine_tune(
            *(on.encoder, on.train, on.test),
            settings=on.settings.fine_tuning,
            workers=on.settings.workers,
        ),
        fine_tuning.table,
        Need.FINE_TUNING,
    ),
    "retrieval": Measure(
        retrieval.RetrievalResult,
        lambda on: retrieval.retrieval(on.test_x, on.test.labels),
        retrieval.table,
    ),
    **SEARCH_MEASURES,
    "actions": Measure(
        regression.RegressionResult,
        lambda on: regression.regression_probe(
            on.train_x, on.train.targets, on.test_x, on.test.targets
        ),
        regression.table,
        Need.TARGETS,
        {"ridge_alphas": regression.ALPHAS},
    ),
    "triplets": Measure(
        triplets.TripletResult,
        lambda on: triplets.fec_accuracy(*on.triplets),
        triplets.table,
        Need.TRIPLETS,
    ),
}
"""All measures by their names in results, in the order of tables."""
