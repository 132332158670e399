"""The whole evaluation of one encoder on labelled sets."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from jaxtyping import Shaped

from contrawarp_edge.core.errors import InputError
from lightly_contrawarp.data.sets import FecFaces, FecTriplets
from lightly_contrawarp.evaluation.encoder_result import EncoderResult, SearchResult
from lightly_contrawarp.evaluation.encoders.encoders import Encoder
from lightly_contrawarp.evaluation.encoders.feature_cache import FeatureCache
from lightly_contrawarp.evaluation.encoders.features import Features, extract_features
from lightly_contrawarp.evaluation.measures.registry import (
    LINEAR_PROBE,
    MEASURES,
    SEARCH_MEASURES,
    Embedded,
    Measure,
    Searched,
)
from lightly_contrawarp.evaluation.overlap import Overlap, same_person
from lightly_contrawarp.evaluation.settings import EvaluationSettings
from lightly_contrawarp.evaluation.splits import Split
from lightly_contrawarp.evaluation.statistics.arrays import Ints
from lightly_contrawarp.evaluation.statistics.near_duplicates import near_duplicates


@dataclass(frozen=True)
class Sets:
    """What encoders are evaluated on.

    Attributes:
        probed: Images that the probes learn from, and images that they are scored on,
            and that are searched; see `common_space`. None leaves the probes out.
        searched: Sets that are only searched, by name.
        triplets: Faces of which people said which two are alike; not without
            ``probed``.
    """

    probed: tuple[Split, Split] | None
    searched: Mapping[str, Split] = field(default_factory=dict)
    triplets: FecTriplets | None = None

    @property
    def images(self) -> int:
        """How many images an encoder will see."""
        splits = [*(self.probed or ()), *self.searched.values()]
        faces = len(self.triplets.faces) if self.triplets else 0
        return sum(len(split.images) for split in splits) + faces


@dataclass(frozen=True)
class Probed:
    """What is known of the two sets of the probes.

    Attributes:
        train_rows: Positions in the training set of the images that could be read.
        test: Features of the test set.
        overlap: What the test set shares with the training set.
        unreadable: A line for each image that was left out.
    """

    train_rows: Shaped[Ints, " n"]
    test: Features
    overlap: Overlap
    unreadable: list[str]


@dataclass(frozen=True)
class Evaluation:
    """What came out for one encoder.

    Attributes:
        result: Facts about the encoder and all measures.
        probed: What is known of the two sets of the probes, if there are any.
        searched: Features of the sets that are only searched.
    """

    result: EncoderResult
    probed: Probed | None
    searched: dict[str, Features]


def evaluate(
    encoder: Encoder,
    sets: Sets,
    settings: EvaluationSettings,
    *,
    known: Probed | None = None,
    cache: FeatureCache | None = None,
    on_progress: Callable[[int], None] = lambda done: None,
    on_stage: Callable[[str], None] = lambda stage: None,
) -> Evaluation:
    """Measures what the features of an encoder are worth.

    Args:
        encoder: The encoder; it stays as it is.
        sets: The images.
        settings: Everything else.
        known: What came out for another encoder on the same sets: what these share is
            not looked for again.
        cache: Where features of labelled sets are kept between runs.
        on_progress: Called after each batch with the number of images done so far.
        on_stage: Called before each measure with its name, in words.

    Returns:
        The measures, each under its name. Those that the data are too few for are
        listed as ``omitted``, with the reason.

    Raises:
        InputError: If the encoder or the images cannot be used; see
            `extract_features` and `linear_probe`.
    """
    done = 0

    def embed(
        images: Any,
        extract: Callable[..., Features] = extract_features,
        thumbnails: bool = False,
    ) -> Features:
        nonlocal done
        before, done = done, done + len(images)
        return extract(
            encoder,
            images,
            batch_size=settings.batch_size,
            workers=settings.workers,
            thumbnails=thumbnails,
            on_progress=lambda number: on_progress(before + number),
        )

    extract = cache.features if cache else extract_features
    info = encoder.info
    pair = [embed(one.images, extract, thumbnails=True) for one in sets.probed or ()]
    compared = None
    if sets.triplets is not None:
        compared = embed(FecFaces(sets.triplets.faces)), sets.triplets
    features = {n: embed(one.images, extract) for n, one in sets.searched.items()}

    probed = None
    measures: dict[str, Any] = {}
    omitted: dict[str, str] = {}
    if sets.probed is not None:
        train_set, test_set = pair
        train, test = (
            split.take(one.rows) for split, one in zip(sets.probed, pair, strict=True)
        )
        if known is not None and _same_rows(known, train_set, test_set):
            overlap = known.overlap
        else:
            overlap = Overlap(
                near_duplicates(test_set.thumbnails, train_set.thumbnails),
                same_person(test, train),
            )
        embedded = Embedded(
            test=test,
            test_x=test_set.values,
            encoder=encoder,
            test_scores=test_set.scores,
            train=train,
            train_x=train_set.values,
            overlap=overlap,
            settings=settings,
            triplets=compared,
        )
        measures, omitted = _measure(embedded, MEASURES, on_stage)
        unreadable = train_set.unreadable + test_set.unreadable
        if compared is not None:
            unreadable = unreadable + compared[0].unreadable
        probed = Probed(train_set.rows, test_set, overlap, unreadable)
    found = {}
    for name, one in features.items():
        on = Searched(
            sets.searched[name].take(one.rows), one.values, encoder, one.scores
        )
        found[name] = SearchResult(*_measure(on, SEARCH_MEASURES, on_stage, name))
    dim = int(next(iter([*pair, *features.values()])).values.shape[1])
    result = EncoderResult(info.backbone, dim, info, measures, omitted, found)
    return Evaluation(result, probed, features)


def _same_rows(known: Probed, train: Features, test: Features) -> bool:
    """Whether the images are the same that could be read before."""
    return np.array_equal(known.train_rows, train.rows) and np.array_equal(
        known.test.rows, test.rows
    )


def _measure(
    on: Searched,
    wanted: Mapping[str, Measure],
    on_stage: Callable[[str], None],
    where: str = "",
) -> tuple[dict[str, Any], dict[str, str]]:
    measures: dict[str, Any] = {}
    omitted: dict[str, str] = {}
    for name, measure in wanted.items():
        if measure.need is not None and measure.need not in on.meets:
            continue
        words = name.replace("_", " ")
        on_stage(f"{where}: {words}" if where else words)
        try:
            measures[name] = measure.run(on)
        except InputError as error:
            # Without a linear probe there is little to tell; other measures may ask
            # for more than a small set has.
            if name == LINEAR_PROBE:
                raise
            omitted[name] = str(error)
    return measures, omitted
