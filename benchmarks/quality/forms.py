"""Forms of the contrast that did not help, for the ablation."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F

from lightly_contrawarp import ContraWarpLoss
from lightly_contrawarp.loss.cosines import Pair

_MARGIN = 0.2


class HingeLoss(ContraWarpLoss):
    """``max(0, cos(negative) - cos(positive) + margin)``; own warps only."""

    def contrast(self, close: Tensor, far: Tensor) -> Tensor:
        return F.relu(far - close[..., None] + _MARGIN).mean()


def symmetric_loss(
    criterion: ContraWarpLoss,
    predictions: Pair,
    targets: Pair,
    negatives: tuple[Tensor, Tensor],
) -> Tensor:
    """Each network's warps are negatives of what the other one made of the views.

    Args:
        criterion: The loss, with negatives from the face.
        predictions: Of the first and of the second views, each ``[B, D]``.
        targets: Projections of the target network, likewise.
        negatives: Predictions and target projections of the warps, each ``[B, K, D]``.
    """
    predicted, projected = negatives
    plain = criterion(None, predictions, targets, projected)
    swapped = criterion(None, targets, predictions, predicted)
    mean: Tensor = (plain + swapped) / 2
    return mean
