"""What a vote of the nearest training items reads from frozen features."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Shaped
from scipy.sparse import csr_array
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
        scores: Scores on the test set; items without any neighbour are wrong.
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
    left_out: csr_array | None = None,
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
        left_out: Sparse booleans ``[t, n]`` that mark neighbours of no merit, which
            have no vote. A test item of which all are left out counts as wrong.

    Returns:
        A result for each entry of ``ks``.
    """
    bank = F.normalize(torch.from_numpy(train_x), dim=1).T.contiguous()
    queries = F.normalize(torch.from_numpy(test_x), dim=1)
    labels = torch.from_numpy(train_y)
    used = [min(k, len(train_x)) for k in ks]
    predicted: list[list[torch.Tensor]] = [[] for _ in ks]
    for start in range(0, len(queries), _QUERIES_AT_ONCE):
        rows = slice(start, start + _QUERIES_AT_ONCE)
        cosines = queries[rows] @ bank
        if left_out is not None:
            cosines[torch.from_numpy(left_out[rows].toarray())] = -torch.inf
        best, places = cosines.topk(max(used))
        # Of the largest cosine the weight is 1, so that none overflows; of what was
        # left out it is 0.
        nearest = best[:, :1].clamp(min=-1)
        weights = ((best - nearest) / temperature).exp()
        for position, k in enumerate(used):
            # The last column wins where nothing has a vote: no class is claimed.
            votes = torch.zeros(len(best), num_classes + 1)
            votes[:, -1] = torch.where(best[:, 0].isneginf(), 1.0, 0.0)
            votes.scatter_add_(1, labels[places[:, :k]], weights[:, :k])
            predicted[position].append(votes.argmax(dim=1))
    return [
        KnnResult(
            k,
            k_used,
            temperature,
            score(test_y, torch.cat(blocks).numpy(), num_classes=num_classes),
        )
        for k, k_used, blocks in zip(ks, used, predicted, strict=True)
    ]


def table(results: Mapping[str, list[KnnResult]]) -> Table:
    """Lays out results by the name of the encoder; all have the same ``ks``."""

    def cell(position: int) -> Callable[[list[KnnResult]], str]:
        return lambda result: SCORE_COLUMNS["accuracy"](result[position].scores)

    first = next(iter(results.values()))
    return encoder_table(
        "Nearest neighbours",
        "Accuracy of a weighted vote of the nearest training images, without those "
        "that are nearly the same image or show the same person.",
        results,
        {f"k = {one.k}": cell(position) for position, one in enumerate(first)},
    )
