"""What frozen features are worth: recognition, search, and how much of who it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.quality.features import Features, Values, embed, training_rows
from benchmarks.quality.images import Images
from contrawarp_edge.core.errors import NotApplicableError
from lightly_contrawarp.evaluation.measures.expression_verification import (
    expression_verification,
)
from lightly_contrawarp.evaluation.measures.identity import identity_leakage
from lightly_contrawarp.evaluation.measures.linear_probe import fit_probe, linear_probe
from lightly_contrawarp.evaluation.measures.nearest import nearest
from lightly_contrawarp.evaluation.measures.retrieval import retrieval
from lightly_contrawarp.evaluation.statistics.intervals import Estimate
from lightly_contrawarp.models.embedding.head import Moved, fit_head

HEADS = [
    *((dim, whiten, True) for dim in (64, 128, 256) for whiten in (0.0, 0.5, 1.0)),
    (128, 0.5, False),
]
"""Embedding heads that are compared: dimensions, exponents of whitening, and whether
there are axes of actions."""

_CURVE_C = 0.1
_VERIFIED = ("happy", "neutral")

CURVE_IMAGES = 4000
"""Training images of the quick probe for the plot."""

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Truth:
    """What is known of the images of a set.

    Attributes:
        labels: Positions in ``classes``.
        classes: Names of the classes.
        people: Who each shows, where that is known.
    """

    labels: Ints
    classes: tuple[str, ...]
    people: Ints | None

    @classmethod
    def of(cls, images: Images) -> Truth:
        """What is known of some images."""
        people = None if images.people is None else images.people.cpu().numpy()
        return cls(images.labels.cpu().numpy(), images.classes, people)


class Scores(dict[str, float | tuple[float, float]]):
    """Numbers by name; the interval of one, if it is known, is ``NAME_interval``."""

    def note(self, name: str, estimate: Estimate) -> None:
        """Takes over a number and its interval."""
        self[name] = estimate.value
        self[f"{name}_interval"] = estimate.interval


def quick_accuracy(
    features: tuple[Values, Values], truth: tuple[Truth, Truth]
) -> float:
    """Linear probe with a fixed penalty, for the plot.

    Args:
        features: Of training and test images.
        truth: Likewise.
    """
    probe = fit_probe(features[0], truth[0].labels, _CURVE_C)
    return float(probe.score(features[1], truth[1].labels))


def judge(
    values: Mapping[str, Values], truth: Mapping[str, Truth], test: str, seed: int = 0
) -> Scores:
    """Judges features by every set that there is.

    Args:
        values: Features by set: ``train`` and the one to test on; and ``drawn_train``
            with ``drawn``, ``lfw`` and ``pairs``, if these are wanted.
        truth: What is known of the images of each set.
        test: Name of the set to test the probe of ``train`` on.
        seed: Draws the training images on which a penalty is chosen.
    """
    scores = Scores()
    scores |= probe_scores(values, truth, ("train", test), seed)
    if "drawn" in values:
        drawn = probe_scores(values, truth, ("drawn_train", "drawn"), seed)
        scores["drawn_linear"] = drawn["linear"]
        scores["drawn_linear_interval"] = drawn["linear_interval"]
    scores |= search_scores(values, truth)
    return scores


def probe_scores(
    values: Mapping[str, Values],
    truth: Mapping[str, Truth],
    sets: tuple[str, str],
    seed: int,
) -> Scores:
    """Scores of the linear probe that learns from one set and is tested on another."""
    scores, (train, test) = Scores(), sets
    result = linear_probe(
        *(values[train], truth[train].labels, values[test], truth[test].labels),
        seeds=(seed,),
        num_classes=len(truth[train].classes),
    )
    scores["linear"], scores["linear_interval"] = result.accuracy, result.interval
    scores["mean_class"] = result.mean_class_accuracy
    scores["mean_class_interval"] = result.mean_class_interval
    if result.calibration is not None:
        scores["calibration"] = result.calibration.error
    return scores


def search_scores(values: Mapping[str, Values], truth: Mapping[str, Truth]) -> Scores:
    """Search among other people, on the sets that tell who an image shows."""
    scores = Scores()
    for name in ("drawn", "lfw"):
        if name in values:
            one, known = values[name], truth[name]
            found = retrieval(one, known.labels, identities=known.people)
            scores.note(f"{name}_p10", found.precision_at_10)
    if "lfw" in values:
        one, known = values["lfw"], truth["lfw"]
        assert known.people is not None
        scores.note("lfw_auc", _verified(one, known))
        leakage = identity_leakage(one, known.labels, known.people)
        scores.note("lfw_identity", leakage.verification_auc)
    if "pairs" in values:
        known = truth["pairs"]
        assert known.people is not None
        found_nearest = nearest(values["pairs"], known.labels, known.people)
        scores.note("pairs_expression", found_nearest.same_expression)
        scores.note("pairs_person", found_nearest.same_person)
    return scores


def judge_heads(
    features: Mapping[str, Features],
    moved: Moved,
    truth: Mapping[str, Truth],
    test: str,
) -> list[dict[str, Any]]:
    """Judges several embedding heads of one encoder; none if there are no features."""
    if not features:
        return []
    rows = training_rows(features["train"].spatial)
    judged = []
    for dim, whiten, actions in HEADS:
        head = fit_head(rows, dim, whiten, moved if actions else None)
        values = embed(features, head)
        scores = judge(values, truth, test)
        found = retrieval(values[test], truth[test].labels)
        scores.note("test_p10", found.precision_at_10)
        kind = {"dim": dim, "whiten": whiten, "actions": actions}
        judged.append({**kind, "scores": scores})
    return judged


def _verified(values: Values, truth: Truth) -> Estimate:
    """Happy and neutral pairs of other people."""
    wanted = [truth.classes.index(name) for name in _VERIFIED if name in truth.classes]
    rows = np.isin(truth.labels, wanted)
    if len(wanted) < len(_VERIFIED) or truth.people is None:
        raise NotApplicableError(
            f"{' and '.join(_VERIFIED)} faces are needed, "
            f"got {', '.join(truth.classes)}"
        )
    return expression_verification(
        values[rows], truth.labels[rows], truth.people[rows], truth.classes
    ).auc
