"""What a vote of the nearest training items reads from frozen features."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Shaped
from lightly.utils.benchmarking import knn_predict
from torch.nn import functional as F

from lightly_contrawarp.evaluation.statistics.arrays import Floats, Ints
from lightly_contrawarp.evaluation.statistics.scores import Scores, score
from lightly_contrawarp.evaluation.tables import SCORE_COLUMNS, Table, encoder_table

_QUERIES_AT_ONCE = 256


@dataclass(frozen=True)
class KnnResult:
    """The nearest-neighbour probe for one k.

    Attributes:
        k: Number of neighbours asked for.
        k_used: Number of neighbours used: ``k`` or, if smaller, the training items.
        temperature: A neighbour of cosine s votes with weight exp(s / temperature).
        scores: Scores on the test set.
    """

    k: int
    k_used: int
    temperature: float
    scores: Scores


def knn_probe(
    train_x: Shaped[Floats, "n d"],
    train_y: Shaped[Ints, " n"],
    test_x: Shaped[Floats, "t d"],
    test_y: Shaped[Ints, " t"],
    *,
    num_classes: int,
    ks: Sequence[int] = (5, 20, 200),
    temperature: float = 0.07,
) -> list[KnnResult]:
    """Classifies by a weighted vote of the training items of largest cosine.

    Args:
        train_x: Features to learn from, float32.
        train_y: Their classes, from 0 to ``num_classes - 1``.
        test_x: Features to be scored on, likewise.
        test_y: Their classes, in the same numbering.
        num_classes: Number of classes.
        ks: Numbers of neighbours; one larger than ``n`` is taken as ``n``.
        temperature: A neighbour of cosine s votes with weight exp(s / temperature).

    Returns:
        A result for each entry of ``ks``.
    """
    bank = F.normalize(torch.from_numpy(train_x), dim=1).T.contiguous()
    queries = F.normalize(torch.from_numpy(test_x), dim=1)
    labels = torch.from_numpy(train_y)
    results = []
    for k in ks:
        k_used = min(k, len(train_x))
        best = [
            knn_predict(block, bank, labels, num_classes, k_used, temperature)[:, 0]
            for block in torch.split(queries, _QUERIES_AT_ONCE)
        ]
        scores = score(test_y, torch.cat(best).numpy(), num_classes=num_classes)
        results.append(KnnResult(k, k_used, temperature, scores))
    return results


def table(results: Mapping[str, list[KnnResult]]) -> Table:
    """Lays out results by the name of the encoder; all have the same ``ks``."""

    def cell(position: int) -> Callable[[list[KnnResult]], str]:
        return lambda result: SCORE_COLUMNS["accuracy"](result[position].scores)

    first = next(iter(results.values()))
    return encoder_table(
        "Nearest neighbours",
        "Accuracy of a weighted vote of the nearest training images.",
        results,
        {f"k = {one.k}": cell(position) for position, one in enumerate(first)},
    )
