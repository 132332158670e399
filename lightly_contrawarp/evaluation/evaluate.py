"""The whole evaluation of one encoder on a labelled set, as plain values."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from contrawarp_edge.core.errors import InputError
from lightly_contrawarp.data.sets import FecFaces, FecTriplets
from lightly_contrawarp.data.synthetic import ACTIONS
from lightly_contrawarp.evaluation.encoders.encoders import Encoder, TorchEncoder
from lightly_contrawarp.evaluation.encoders.feature_cache import FeatureCache
from lightly_contrawarp.evaluation.encoders.features import Features, extract_features
from lightly_contrawarp.evaluation.measures.few_label import few_label_probe
from lightly_contrawarp.evaluation.measures.fine_tuning import (
    FineTuneSettings,
    fine_tune,
)
from lightly_contrawarp.evaluation.measures.identity import identity_leakage
from lightly_contrawarp.evaluation.measures.linear_probe import (
    Values,
    knn_probe,
    linear_probe,
)
from lightly_contrawarp.evaluation.measures.regression import regression_probe
from lightly_contrawarp.evaluation.measures.retrieval import retrieval
from lightly_contrawarp.evaluation.measures.triplets import fec_accuracy
from lightly_contrawarp.evaluation.splits import Part


@dataclass(frozen=True)
class EvaluationSettings:
    """Everything that an evaluation depends on besides encoder and data.

    Attributes:
        batch_size: Images in a batch.
        workers: Processes that decode images; 0 decodes in the calling one.
        seeds: Seeds of the linear probe.
        ks: Numbers of neighbours.
        temperature: Of the neighbours' votes; see `knn_probe`.
        few_label: Whether to fit the linear probe to few labels too.
        fine_tuning: How to fine-tune; None leaves it out.
    """

    batch_size: int = 256
    workers: int = 0
    seeds: tuple[int, ...] = (0, 1, 2)
    ks: tuple[int, ...] = (5, 20, 200)
    temperature: float = 0.07
    few_label: bool = False
    fine_tuning: FineTuneSettings | None = None


@dataclass(frozen=True)
class Evaluation:
    """What came out for one encoder.

    Attributes:
        result: Facts about the encoder and all measures, as values that JSON can hold.
        train_rows: Positions in the training set of the images that could be read.
        test: Features of the test set.
        unreadable: A line for each image that was left out.
    """

    result: dict[str, Any]
    train_rows: NDArray[np.int64]
    test: Features
    unreadable: list[str]


def evaluate(
    encoder: Encoder,
    train: Part,
    test: Part,
    settings: EvaluationSettings,
    *,
    triplets: FecTriplets | None = None,
    cache: FeatureCache | None = None,
    on_progress: Callable[[int], None] | None = None,
    say: Callable[[str], None] = lambda stage: None,
) -> Evaluation:
    """Measures what the features of an encoder are worth.

    Args:
        encoder: The encoder; it stays as it is.
        train: Images that the probes learn from; see `common_space`.
        test: Images that they are scored on, and that are searched.
        settings: Everything else.
        triplets: Comparisons of faces by people, to compare with.
        cache: Where features of ``train`` and ``test`` are kept between runs.
        on_progress: Called after each batch of ``train``, then ``test``, then the
            faces of ``triplets``, with the number of images done so far.
        say: Called with a few words before each stage that follows.

    Returns:
        The measures, each under its name. Those that the data are too few for are
        listed as ``omitted``, with the reason.

    Raises:
        InputError: If the encoder or the images cannot be used; see
            `extract_features` and `linear_probe`.
    """
    options: dict[str, Any] = {
        "batch_size": settings.batch_size,
        "workers": settings.workers,
    }
    extract = cache.features if cache else extract_features
    images = len(train.rows), len(test.rows)
    train_set, test_set = (
        extract(
            encoder, part.images, **options, on_progress=_after(before, on_progress)
        )
        for part, before in ((train, 0), (test, images[0]))
    )
    train, test = train.take(train_set.rows), test.take(test_set.rows)
    stages = _stages((train, train_set.values), (test, test_set.values), settings)
    unreadable = train_set.unreadable + test_set.unreadable
    if triplets is not None:
        faces = extract_features(
            encoder,
            FecFaces(triplets.faces),
            **options,
            on_progress=_after(sum(images), on_progress),
        )
        stages["triplets"] = partial(fec_accuracy, faces, triplets)
        unreadable = unreadable + faces.unreadable
    if settings.fine_tuning is not None and isinstance(encoder, TorchEncoder):
        stages["fine_tuning"] = partial(
            fine_tune,
            *(encoder, train, test),
            settings=settings.fine_tuning,
            workers=settings.workers,
        )
    measures, omitted = _measure(stages, say)
    info = encoder.info
    result = {
        "backbone": info.backbone,
        "dim": int(train_set.values.shape[1]),
        "encoder": asdict(info),
        **measures,
        "omitted": omitted,
    }
    return Evaluation(result, train_set.rows, test_set, unreadable)


def _stages(
    train: tuple[Part, Values], test: tuple[Part, Values], settings: EvaluationSettings
) -> dict[str, Callable[[], Any]]:
    """What is measured on features that are at hand, by name and in order."""
    data = train[1], train[0].labels, test[1], test[0].labels
    classes = len(train[0].classes)
    stages: dict[str, Callable[[], Any]] = {
        "linear_probe": partial(
            linear_probe, *data, seeds=settings.seeds, num_classes=classes
        ),
        "knn": partial(
            knn_probe,
            *data,
            num_classes=classes,
            ks=settings.ks,
            temperature=settings.temperature,
        ),
        "retrieval": partial(retrieval, *data[2:]),
    }
    if settings.few_label:
        stages["few_label"] = partial(few_label_probe, *data, num_classes=classes)
    if (people := test[0].people) is not None:
        stages["retrieval_other_people"] = partial(
            retrieval, *data[2:], identities=people
        )
        stages["identity"] = partial(identity_leakage, *data[2:], people)
    if train[0].actions is not None and test[0].actions is not None:
        stages["actions"] = partial(
            regression_probe,
            *(train[1], train[0].actions, test[1], test[0].actions),
            names=ACTIONS,
        )
    return stages


def _measure(
    stages: Mapping[str, Callable[[], Any]], say: Callable[[str], None]
) -> tuple[dict[str, Any], dict[str, str]]:
    measures, omitted = {}, {}
    for name, stage in stages.items():
        say(name.replace("_", " "))
        try:
            measured = stage()
        except InputError as error:
            # Without a linear probe there is little to tell; other measures may ask
            # for more than a small set has.
            if name == "linear_probe":
                raise
            omitted[name] = str(error)
            continue
        measures[name] = (
            [asdict(one) for one in measured]
            if isinstance(measured, list)
            else asdict(measured)
        )
    return measures, omitted


def _after(
    before: int, report: Callable[[int], None] | None
) -> Callable[[int], None] | None:
    return None if report is None else lambda done: report(before + done)
