"""Forms of the contrast that only the ablation has, against NumPy."""

import numpy as np
import pytest
import torch

from benchmarks.quality.forms import HingeLoss, symmetric_loss
from lightly_contrawarp import ContraWarpLoss

B, K, D = 6, 3, 16
SETTINGS = {"negatives_from": "face", "positive_weight": 0.7, "negative_weight": 2.0}


def unit(x: torch.Tensor) -> np.ndarray:
    return (x / x.norm(dim=-1, keepdim=True)).numpy()


def flat(count: int) -> list[torch.Tensor]:
    return [torch.randn(B, D, dtype=torch.float64) for _ in range(count)]


def test_hinge_of_paired_warps() -> None:
    q0, q1 = torch.randn(2, B, K, D, dtype=torch.float64)
    terms = []
    for a, b in ((unit(q0), unit(q1)), (unit(q1), unit(q0))):
        for face in range(B):
            cosines = a[face] @ b[face].T
            for i in range(K):
                far = np.delete(cosines[i], i)
                terms.append(np.maximum(0, far - cosines[i, i] + 0.2).mean())
    loss = HingeLoss(negatives_from="face")((q0, q1))
    assert loss.item() == pytest.approx(np.mean(terms), rel=1e-5)


def test_warps_are_negatives_of_both_networks() -> None:
    p0, p1, z0, z1 = flat(4)
    predicted, projected = torch.randn(2, B, K, D, dtype=torch.float64)
    a0, a1, b0, b1, m, n = map(unit, (p0, p1, z0, z1, predicted, projected))
    positive, terms = [], []
    for anchor, close, far in ((a0, b1, n), (a1, b0, n), (b1, a0, m), (b0, a1, m)):
        for i in range(B):
            cosine = float(anchor[i] @ close[i])
            weights = np.exp(np.array([cosine, *(far[i] @ anchor[i])]) / 0.1)
            terms.append(-np.log(weights[0] / weights.sum()))
            positive.append(-cosine)
    loss = symmetric_loss(
        ContraWarpLoss(**SETTINGS), (p0, p1), (z0, z1), (predicted, projected)
    )
    expected = 0.7 * np.mean(positive) + 2.0 * np.mean(terms)
    assert loss.item() == pytest.approx(expected, rel=1e-5)
