"""Fitting what labelled images add to an export: a classifier, a taught embedding."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Shaped
from numpy.linalg import LinAlgError
from numpy.typing import NDArray
from scipy.special import softmax
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.pipeline import Pipeline
from torch import nn

from contrawarp_edge.core.errors import InputError
from contrawarp_edge.core.text import printable
from lightly_contrawarp.data.held_out import hold_out
from lightly_contrawarp.data.labelled import LabelledImages
from lightly_contrawarp.evaluation.encoders.encoders import TorchEncoder
from lightly_contrawarp.evaluation.encoders.features import extract_features
from lightly_contrawarp.evaluation.measures.linear_probe import choose_c, fit_probe
from lightly_contrawarp.evaluation.measures.retrieval import retrieval
from lightly_contrawarp.evaluation.progress import EvaluationProgress
from lightly_contrawarp.evaluation.statistics.arrays import Floats, Ints, Mask
from lightly_contrawarp.evaluation.statistics.calibration import calibration
from lightly_contrawarp.evaluation.statistics.near_duplicates import near_duplicates
from lightly_contrawarp.evaluation.statistics.neighbours import unit_rows
from lightly_contrawarp.export.onnx_model import Labels
from lightly_contrawarp.models.embedding.classifier import (
    FitFacts,
    LinearClassifier,
    affine,
    fit_temperature,
    images_by_class,
)

SEED = 0
"""Draws the images that are held out to choose and to calibrate."""

_Affine = tuple[Shaped[Floats, "d f"], Shaped[Floats, " d"]]


class TeachingError(InputError):
    """Labels cannot teach an embedding, or it gains nothing by them."""


@dataclass(frozen=True)
class Teaching:
    """What became of an embedding that labels have taught.

    Attributes:
        way: What makes the taught embedding, in words.
        before: Precision of the ten nearest among the held-out images, macro mean over
            the classes, of the embedding as it was.
        after: The same of the taught one.
        held_out: Number of images that were searched.
    """

    way: str
    before: float
    after: float
    held_out: int


@dataclass(frozen=True)
class Recognition:
    """What was fitted.

    Attributes:
        labels: The parts of the network.
        teaching: What teaching gained, if the embedding was taught.
        unreadable: A line for each image that was left out.
    """

    labels: Labels
    teaching: Teaching | None = None
    unreadable: list[str] = field(default_factory=list)


def fit_recognition(
    network: nn.Module, input_size: int, images: LabelledImages, *, teach: bool = False
) -> Recognition:
    """Fits a classifier to an embedding at unit length; progress goes to stderr.

    It is the linear probe of the evaluation: the penalty is chosen on a stratified
    tenth, on which its temperature is fitted too, and then it is fitted to all images.

    Args:
        network: What `load_embedding` gives, on the CPU.
        input_size: Side of the images that it takes, in pixels.
        images: The labelled images.
        teach: Whether to look for an embedding too that the classes are apart in.

    Raises:
        InputError: If there are too few images.
        TeachingError: If teaching gains nothing.
    """
    where = printable(images.root)
    progress = EvaluationProgress()
    progress.start(where, len(images))
    found = extract_features(
        TorchEncoder(network, input_size),
        images,
        thumbnails=teach,
        on_progress=progress.images,
    )
    x = unit_rows(found.values)
    seen, y = np.unique(np.array(images.labels)[found.rows], return_inverse=True)
    classes = [images.classes[label] for label in seen]
    try:
        held_out = hold_out(y, seed=SEED)
    except InputError as error:
        raise InputError(f"{where}: {error}") from error
    progress.stage("linear probe")
    c = choose_c(x, y, seed=SEED)
    part = fold(fit_probe(x[~held_out], y[~held_out], c))
    logits = apply(part, x[held_out])
    temperature = fit_temperature(logits, y[held_out])
    confidence = softmax(logits / temperature, axis=1).max(axis=1)
    right = logits.argmax(axis=1) == y[held_out]
    facts = FitFacts(
        source=f"a labelled set named {printable(images.root.resolve().name)}",
        images_by_class=images_by_class(classes, y),
        held_out=int(held_out.sum()),
        accuracy=float(right.mean()),
        calibration_error=calibration([(confidence, right)]).error,
    )
    whole = fold(fit_probe(x, y, c))
    layer = affine(whole[0] / temperature, whole[1] / temperature)
    classifier = LinearClassifier(layer.weight.data, layer.bias.data, facts)
    if not teach:
        return Recognition(Labels(classifier), None, found.unreadable)
    progress.stage("teaching")
    alone = _without_duplicates(found.thumbnails, held_out)
    ways: dict[str, Callable[[Shaped[Floats, "n f"], Shaped[Ints, " n"]], _Affine]] = {
        "logits of the linear probe": lambda x, y: _centred_logits(x, y, c),
        "linear discriminants": _discriminants,
    }
    try:
        if not (np.bincount(y[alone]) > 1).any():
            raise InputError(
                "needs two held-out images of a class to search, and has "
                f"{alone.sum():,} without near-duplicates of {held_out.sum():,}, a "
                "tenth of the images; give more, or leave it out"
            )
        way, teaching = _best_way(ways, x, y, held_out, alone)
    except InputError as error:
        raise TeachingError(f"{where}: --teach: {error}") from error
    teacher = affine(*ways[way](x, y))
    return Recognition(Labels(classifier, teacher), teaching, found.unreadable)


def fold(probe: Pipeline) -> _Affine:
    """A fitted `fit_probe` as one matrix and a bias, with a logit for each class."""
    scaler, regression = probe.steps[0][1], probe.steps[1][1]
    weight, bias = regression.coef_ / scaler.scale_, regression.intercept_
    bias = bias - weight @ scaler.mean_
    if len(weight) == 1:  # of two classes scikit-learn keeps the difference only
        return np.concatenate([-weight, weight]) / 2, np.concatenate([-bias, bias]) / 2
    return weight, bias


def apply(layer: _Affine, x: Shaped[Floats, "n f"]) -> Shaped[Floats, "n d"]:
    """``x @ weight.T + bias``."""
    return np.asarray(x @ layer[0].T + layer[1])


def _centred_logits(
    x: Shaped[Floats, "n f"], y: Shaped[Ints, " n"], c: float
) -> _Affine:
    weight, _ = fold(fit_probe(x, y, c))
    return weight, -weight @ x.mean(axis=0)


def _discriminants(x: Shaped[Floats, "n f"], y: Shaped[Ints, " n"]) -> _Affine:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a class may have one image
        analysis = LinearDiscriminantAnalysis(solver="eigen", shrinkage="auto")
        analysis.fit(x.astype(np.float64), y)
    weight = analysis.scalings_[:, : len(np.unique(y)) - 1].T
    return weight, -weight @ x.mean(axis=0)


def _without_duplicates(
    thumbnails: Shaped[NDArray[np.uint8], "n pixels"], held_out: Shaped[Mask, " n"]
) -> Shaped[Mask, " n"]:
    """The held-out images that show no image again, learned from or held out."""
    test, train = thumbnails[held_out], thumbnails[~held_out]
    again = near_duplicates(test, train).sum(axis=1) > 0
    among = near_duplicates(test, test).tocoo()
    first, second = among.coords
    again[second[first < second]] = True
    alone: Mask = held_out.copy()
    alone[held_out] = ~again
    return alone


def _best_way(
    ways: dict[str, Callable[[Shaped[Floats, "n f"], Shaped[Ints, " n"]], _Affine]],
    x: Shaped[Floats, "n f"],
    y: Shaped[Ints, " n"],
    held_out: Shaped[Mask, " n"],
    alone: Shaped[Mask, " n"],
) -> tuple[str, Teaching]:
    """The way of which the search among held-out images is the best."""

    def precision(values: Shaped[Floats, "n d"]) -> float:
        return retrieval(unit_rows(values), y[alone]).precision_at_10.value

    before = precision(x[alone])
    after: dict[str, float] = {}
    for name, way in ways.items():
        try:
            after[name] = precision(apply(way(x[~held_out], y[~held_out]), x[alone]))
        except LinAlgError:  # scatter that shrinking could not make invertible
            continue
    best = max(after, key=lambda name: after[name])
    if after[best] <= before:
        raise InputError(
            f"gains nothing: P@10 {100 * before:.1f} before, {100 * after[best]:.1f} "
            f"after, on {alone.sum():,} held-out images; leave it out"
        )
    return best, Teaching(best, before, after[best], int(alone.sum()))
