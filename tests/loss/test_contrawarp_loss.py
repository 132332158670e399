"""ContraWarpLoss against NumPy and Lightly."""

import math
from collections.abc import Sequence

import numpy as np
import pytest
import torch
from lightly.loss import NegativeCosineSimilarity

from contrawarp_edge.core.errors import InputError
from helpers_training import NT_XENT
from lightly_contrawarp import ContraWarpLoss

B, K, D = 6, 3, 16


def unit(x: np.ndarray) -> np.ndarray:
    return x / np.linalg.norm(x, axis=-1, keepdims=True)


def contrast(close: float, far: np.ndarray) -> float:
    """One anchor: cosine to its positive and to each of its warps."""
    weights = np.exp(np.array([close, *far]) / 0.2)
    return -math.log(weights[0] / weights.sum())


def inputs(seed: int = 0, dtype: torch.dtype = torch.float64) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    flat = [torch.randn(B, D, generator=generator, dtype=dtype) for _ in range(4)]
    deep = torch.randn(B, K, D, generator=generator, dtype=dtype)
    return [*flat, deep]


def criterion(negatives_from: str = "face") -> ContraWarpLoss:
    return ContraWarpLoss(
        positive_weight=0.7, negative_weight=2.0, temperature=0.2,
        negatives_from=negatives_from,
    )  # fmt: skip


def byol(tensors: Sequence[torch.Tensor]) -> dict[str, object]:
    """Two predictions, two targets, and for unpaired views the negatives."""
    pairs = {"predictions": tuple(tensors[:2]), "targets": tuple(tensors[2:4])}
    return pairs | dict(zip(["negatives"], tensors[4:], strict=False))


def test_unpaired_matches_numpy() -> None:
    tensors = inputs()
    p0, p1, z0, z1, n = (unit(t.numpy()) for t in tensors)
    positive, terms = [], []
    for i in range(B):
        for p, z in ((p0, z1), (p1, z0)):
            close = float(p[i] @ z[i])
            positive.append(-close)
            terms.append(contrast(close, n[i] @ p[i]))
    expected = 0.7 * np.mean(positive) + 2.0 * np.mean(terms)
    actual = criterion()(**byol(tensors))
    assert actual.item() == pytest.approx(expected, rel=1e-5, abs=1e-6)


def test_paired_matches_numpy() -> None:
    tensors = [torch.randn(B, K, D, dtype=torch.float64) for _ in range(4)]
    p0, p1, z0, z1 = (unit(t.numpy()) for t in tensors)
    positive, terms, hits = [], [], []
    for p, z in ((p0, z1), (p1, z0)):
        for b in range(B):
            for i in range(K):
                cosines = z[b] @ p[b, i]
                far = np.delete(cosines, i)
                positive.append(-cosines[i])
                terms.append(contrast(cosines[i], far))
                hits.append(cosines[i] > far.max())
    result = criterion().terms(**byol(tensors))
    expected = 0.7 * np.mean(positive) + 2.0 * np.mean(terms)
    assert result.loss.item() == pytest.approx(expected, rel=1e-5, abs=1e-6)
    assert result.positive.item() == pytest.approx(
        np.mean(positive), rel=1e-5, abs=1e-6
    )
    assert result.negative.item() == pytest.approx(np.mean(terms), rel=1e-5, abs=1e-6)
    assert result.top1.item() == pytest.approx(np.mean(hits))


def test_contrast_of_online_projections() -> None:
    """The positive term stays BYOL's; both sides of the contrast are projections."""
    p0, p1, z0, z1, negatives = inputs()
    q0, q1, *_ = inputs(seed=1)
    given = byol([p0, p1, z0, z1, negatives])
    result = criterion().terms((q0, q1), **given)
    plain = -(unit(p0.numpy()) * unit(z1.numpy())).sum(1).mean() / 2
    plain -= (unit(p1.numpy()) * unit(z0.numpy())).sum(1).mean() / 2
    a0, a1, n = (unit(t.numpy()) for t in (q0, q1, negatives))
    expected = [
        contrast(float(a[i] @ b[i]), n[i] @ a[i])
        for a, b in ((a0, a1), (a1, a0))
        for i in range(B)
    ]
    assert result.positive.item() == pytest.approx(plain, rel=1e-5, abs=1e-6)
    assert result.negative.item() == pytest.approx(
        np.mean(expected), rel=1e-5, abs=1e-6
    )
    paired = [torch.randn(B, K, D, dtype=torch.float64) for _ in range(6)]
    both = criterion().terms((paired[4], paired[5]), **byol(paired[:4]))
    as_predictions = criterion().terms(**byol([*paired[4:], *paired[4:]]))
    torch.testing.assert_close(both.negative, as_predictions.negative)


def test_negatives_from_the_batch_match_numpy() -> None:
    """Each of B x K warps is an instance; all other 2BK - 2 views are negatives."""
    tensors = [torch.randn(B, K, D, dtype=torch.float64) for _ in range(6)]
    *others, q0, q1 = tensors
    loss = criterion("batch")
    result = loss.terms((q0, q1), **byol(others))
    views = unit(np.concatenate([q.flatten(0, 1).numpy() for q in (q0, q1)]))
    weights = np.exp(views @ views.T / 0.2)
    np.fill_diagonal(weights, 0)
    close = np.concatenate([np.diagonal(weights, B * K), np.diagonal(weights, -B * K)])
    expected = -np.log(close / weights.sum(1)).mean()
    assert result.negative.item() == pytest.approx(expected, rel=1e-5, abs=1e-6)
    assert result.loss.item() == pytest.approx(
        0.7 * result.positive.item() + 2.0 * expected, rel=1e-5
    )
    alone = ContraWarpLoss(**NT_XENT, temperature=0.2).terms((q0, q1))
    torch.testing.assert_close(alone.loss, result.negative)
    cosine = (views[: B * K] * views[B * K :]).sum(1).mean()
    assert alone.cosine_positive.item() == pytest.approx(cosine, rel=1e-5, abs=1e-6)
    face = criterion().terms((q0, q1), **byol(others))
    assert result.top1.item() == face.top1.item()  # among the face's own warps


def test_gradient_reaches_both_sides_of_online_projections() -> None:
    q0, q1, negatives = (t.requires_grad_() for t in (*inputs()[:2], inputs()[4]))
    loss = ContraWarpLoss(**NT_XENT, negatives_from="face")
    loss((q0, q1), negatives=negatives).backward()
    assert all(t.grad.abs().sum() > 0 for t in (q0, q1, negatives))


def test_without_negatives_it_is_byol() -> None:
    p0, p1, z0, z1, negatives = inputs()
    lightly = NegativeCosineSimilarity()
    expected = (lightly(p0, z1) + lightly(p1, z0)) / 2
    face = {"positive_weight": 1.0, "negatives_from": "face"}
    plain = ContraWarpLoss(**face)(**byol([p0, p1, z0, z1]))
    torch.testing.assert_close(plain.double(), expected, rtol=1e-6, atol=1e-6)
    unweighted = ContraWarpLoss(negative_weight=0, **face)
    loss = unweighted(**byol([p0, p1, z0, z1, negatives]))
    torch.testing.assert_close(loss.double(), expected, rtol=1e-6, atol=1e-6)


def test_gradient_only_through_what_is_online() -> None:
    tensors = [t.requires_grad_() for t in inputs()]
    detached = [*tensors[:2], *(t.detach() for t in tensors[2:])]
    criterion()(**byol(detached)).backward()
    assert all(tensors[i].grad is not None for i in (0, 1))
    assert all(tensors[i].grad is None for i in (2, 3, 4))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_computes_in_float32_under_autocast(dtype: torch.dtype) -> None:
    tensors = [t.to(dtype) for t in inputs()]
    tensors[0] *= 1e-4  # squares underflow in half precision
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss = criterion()(**byol(tensors))
    assert loss.dtype == torch.float32
    expected = criterion()(**byol([t.double() for t in tensors]))
    assert loss.item() == pytest.approx(expected.item(), rel=1e-4)


def test_moving_a_negative_away_lowers_the_loss() -> None:
    *pairs, negatives = inputs()
    near, far = (sign * pairs[0][:, None].repeat(1, K, 1) for sign in (1, -1))
    close, given, apart = (
        criterion()(**byol([*pairs, n])) for n in (near, negatives, far)
    )
    assert apart < given < close


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {1: (B, D + 1)},
            r"predictions\[1\] must have the shape of predictions\[0\], \[6, 16\], "
            r"got \[6, 17\]",
        ),
        ({4: (B, D)}, r"negatives must be \[6, K, 16\]"),
        ({4: (B + 1, K, D)}, r"negatives must be \[6, K, 16\]"),
        ({4: (B, K, D - 1)}, r"negatives must be \[6, K, 16\]"),
        ({0: (B,)}, r"predictions\[0\] must be \[B, D\]"),
        ({0: (B, 1, D)}, "M of at least 2"),
    ],
)
def test_wrong_shapes(change: dict[int, tuple[int, ...]], message: str) -> None:
    tensors = inputs()
    for index, shape in change.items():
        tensors[index] = torch.randn(shape)
    with pytest.raises(ValueError, match=message):
        criterion()(**byol(tensors))


def test_missing_inputs() -> None:
    q0, q1, p0, p1, negatives = inputs()
    with pytest.raises(ValueError, match="give projections, or predictions"):
        ContraWarpLoss(**NT_XENT)()
    with pytest.raises(ValueError, match="given together"):
        ContraWarpLoss(**NT_XENT)((q0, q1), predictions=(p0, p1))
    with pytest.raises(ValueError, match="positive_weight needs predictions"):
        ContraWarpLoss(positive_weight=1.0)((q0, q1))
    with pytest.raises(ValueError, match="needs projections, paired"):
        ContraWarpLoss(**NT_XENT)(**byol([q0, q1, p0, p1]))
    with pytest.raises(ValueError, match="needs projections, paired"):
        ContraWarpLoss(**NT_XENT)((q0, q1), negatives=negatives)
    paired = torch.randn(2, B, K, D)
    with pytest.raises(ValueError, match="must be None with paired warps"):
        criterion()(**byol([*paired, *paired, torch.randn(B, K, D)]))


def test_wrong_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError, match="temperature"):
        ContraWarpLoss(temperature=0.0)
    with pytest.raises(ValueError, match="weight"):
        ContraWarpLoss(negative_weight=-1.0)
    with pytest.raises(InputError, match="form must be 'info_nce', got 'triplet'"):
        ContraWarpLoss(form="triplet")
    with pytest.raises(InputError, match="has to be above 0"):
        ContraWarpLoss(positive_weight=0, negative_weight=0, action_weight=0)
    with pytest.raises(TypeError, match="tau"):
        ContraWarpLoss(tau=0.1)
    with monkeypatch.context() as patch:
        patch.setattr(torch.distributed, "is_available", lambda: False)
        with pytest.raises(ValueError, match="distributed"):
            ContraWarpLoss(**NT_XENT, gather_distributed=True)
