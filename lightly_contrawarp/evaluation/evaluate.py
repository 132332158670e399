"""The whole evaluation of one encoder on a labelled set."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from jaxtyping import Shaped

from contrawarp_edge.core.errors import InputError
from lightly_contrawarp.data.sets import FecFaces, FecTriplets
from lightly_contrawarp.evaluation.encoders.encoders import Encoder
from lightly_contrawarp.evaluation.encoders.feature_cache import FeatureCache
from lightly_contrawarp.evaluation.encoders.features import Features, extract_features
from lightly_contrawarp.evaluation.measures.registry import (
    LINEAR_PROBE,
    MEASURES,
    Embedded,
)
from lightly_contrawarp.evaluation.results import EncoderResult
from lightly_contrawarp.evaluation.settings import EvaluationSettings
from lightly_contrawarp.evaluation.splits import Split
from lightly_contrawarp.evaluation.statistics.arrays import Ints


@dataclass(frozen=True)
class Evaluation:
    """What came out for one encoder.

    Attributes:
        result: Facts about the encoder and all measures.
        train_rows: Positions in the training set of the images that could be read.
        test: Features of the test set.
        unreadable: A line for each image that was left out.
    """

    result: EncoderResult
    train_rows: Shaped[Ints, " n"]
    test: Features
    unreadable: list[str]


def evaluate(
    encoder: Encoder,
    train: Split,
    test: Split,
    settings: EvaluationSettings,
    *,
    triplets: FecTriplets | None = None,
    cache: FeatureCache | None = None,
    on_progress: Callable[[int], None] = lambda done: None,
    on_stage: Callable[[str], None] = lambda stage: None,
) -> Evaluation:
    """Measures what the features of an encoder are worth.

    Args:
        encoder: The encoder; it stays as it is.
        train: Images that the probes learn from; see `common_space`.
        test: Images that they are scored on, and that are searched.
        settings: Everything else.
        triplets: Faces of which people said which two are alike.
        cache: Where features of ``train`` and ``test`` are kept between runs.
        on_progress: Called after each batch of ``train``, then ``test``, then the
            faces of ``triplets``, with the number of images done so far.
        on_stage: Called before each measure with its name, in words.

    Returns:
        The measures, each under its name. Those that the data are too few for are
        listed as ``omitted``, with the reason.

    Raises:
        InputError: If the encoder or the images cannot be used; see
            `extract_features` and `linear_probe`.
    """
    done = 0

    def embed(images: Any, extract: Callable[..., Features]) -> Features:
        nonlocal done
        before, done = done, done + len(images)
        return extract(
            encoder,
            images,
            batch_size=settings.batch_size,
            workers=settings.workers,
            on_progress=lambda number: on_progress(before + number),
        )

    extract = cache.features if cache else extract_features
    train_set, test_set = (embed(split.images, extract) for split in (train, test))
    unreadable = train_set.unreadable + test_set.unreadable
    compared = None
    if triplets is not None:
        compared = embed(FecFaces(triplets.faces), extract_features), triplets
        unreadable = unreadable + compared[0].unreadable
    embedded = Embedded(
        encoder,
        *(train.take(train_set.rows), train_set.values),
        *(test.take(test_set.rows), test_set.values),
        settings,
        compared,
    )
    measures, omitted = _measure(embedded, on_stage)
    info = encoder.info
    dim = int(train_set.values.shape[1])
    result = EncoderResult(info.backbone, dim, info, measures, omitted)
    return Evaluation(result, train_set.rows, test_set, unreadable)


def _measure(
    embedded: Embedded, on_stage: Callable[[str], None]
) -> tuple[dict[str, Any], dict[str, str]]:
    measures: dict[str, Any] = {}
    omitted: dict[str, str] = {}
    for name, measure in MEASURES.items():
        if measure.need is not None and measure.need not in embedded.meets:
            continue
        on_stage(name.replace("_", " "))
        try:
            measures[name] = measure.run(embedded)
        except InputError as error:
            # Without a linear probe there is little to tell; other measures may ask
            # for more than a small set has.
            if name == LINEAR_PROBE:
                raise
            omitted[name] = str(error)
    return measures, omitted
