"""What the nearest training images tell of an image."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from lightly.utils.benchmarking import knn_predict
from torch.nn import functional as F

from lightly_contrawarp.evaluation.probes import Values
from lightly_contrawarp.evaluation.scores import Labels, Scores, score

_QUERIES_AT_ONCE = 256


@dataclass(frozen=True)
class NeighbourResult:
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
    train_x: Values,
    train_y: Labels,
    test_x: Values,
    test_y: Labels,
    *,
    num_classes: int,
    ks: Sequence[int] = (5, 20, 200),
    temperature: float = 0.07,
) -> list[NeighbourResult]:
    """Classifies by a weighted vote of the training items of largest cosine.

    Args:
        train_x: float32 of shape ``(N, D)``.
        train_y: Classes of shape ``(N,)``, from 0 to ``num_classes - 1``.
        test_x: float32 of shape ``(M, D)``.
        test_y: Classes of shape ``(M,)``, in the same numbering.
        num_classes: Number of classes.
        ks: Numbers of neighbours; one larger than N is taken as N.
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
            knn_predict(part, bank, labels, num_classes, k_used, temperature)[:, 0]
            for part in torch.split(queries, _QUERIES_AT_ONCE)
        ]
        scores = score(test_y, torch.cat(best).numpy(), num_classes=num_classes)
        results.append(NeighbourResult(k, k_used, temperature, scores))
    return results
