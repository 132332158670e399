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
        scores: Scores on the test set.
        near_duplicates: Pairs of a test and a training item that were left out since
            they are nearly the same image; None if nobody looked.
        same_person: The same for pairs that show one person; None if people are not
            known on both sides.
    """

    k: int
    k_used: int
    temperature: float
    scores: Scores
    near_duplicates: int | None = None
    same_person: int | None = None


def knn_probe(
    train_x: Shaped[Floats, "n d"],
    train_y: Shaped[Ints, " n"],
    test_x: Shaped[Floats, "t d"],
    test_y: Shaped[Ints, " t"],
    *,
    num_classes: int,
    ks: Sequence[int] = (5, 20, 200),
    temperature: float = 0.07,
    near_duplicates: csr_array | None = None,
    same_person: csr_array | None = None,
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
        near_duplicates: Sparse booleans ``[t, n]`` that mark neighbours of no merit: an
            item has no vote on its near-duplicates.
        same_person: The same for items that show one person.

    Returns:
        A result for each entry of ``ks``.
    """
    bank = F.normalize(torch.from_numpy(train_x), dim=1).T.contiguous()
    queries = F.normalize(torch.from_numpy(test_x), dim=1)
    labels = torch.from_numpy(train_y)
    left_out = [mask for mask in (near_duplicates, same_person) if mask is not None]
    used = [min(k, len(train_x)) for k in ks]
    predicted: list[list[torch.Tensor]] = [[] for _ in ks]
    for start in range(0, len(queries), _QUERIES_AT_ONCE):
        rows = slice(start, start + _QUERIES_AT_ONCE)
        cosines = queries[rows] @ bank
        for mask in left_out:
            cosines[torch.from_numpy(mask[rows].toarray())] = -torch.inf
        best, places = cosines.topk(max(used))
        weights = (best / temperature).exp()  # 0 for what was left out
        for position, k in enumerate(used):
            votes = torch.zeros(len(best), num_classes)
            votes.scatter_add_(1, labels[places[:, :k]], weights[:, :k])
            predicted[position].append(votes.argmax(dim=1))
    return [
        KnnResult(
            k,
            k_used,
            temperature,
            score(test_y, torch.cat(blocks).numpy(), num_classes=num_classes),
            None if near_duplicates is None else int(near_duplicates.nnz),
            None if same_person is None else int(same_person.nnz),
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
        "Accuracy of a weighted vote of the nearest training images; and how many "
        "pairs of a test and a training image were left out, as nearly the same image "
        "or as the same person.",
        results,
        {
            **{f"k = {one.k}": cell(position) for position, one in enumerate(first)},
            "near-duplicates": lambda result: _count(result[0].near_duplicates),
            "same person": lambda result: _count(result[0].same_person),
        },
    )


def _count(number: int | None) -> str:
    return "-" if number is None else f"{number:,}"
