"""``ContraWarpLoss``: BYOL's positive term and the contrast with local warps."""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple

import torch
from lightly.loss import NTXentLoss
from torch import Tensor, nn
from torch.nn import functional as F

from contrawarp_edge.core.errors import InputError
from contrawarp_edge.core.ranges import check_range
from lightly_contrawarp.loss.cosines import (
    Pair,
    check_shapes,
    compare,
    split_diagonal,
    unit,
)


class NegativeForm(str, Enum):
    """How a warped face is pushed away."""

    INFO_NCE = "info_nce"
    """Cross-entropy of the positive among the warps of the same face."""
    HINGE = "hinge"
    """``max(0, cos(negative) - cos(positive) + margin)``."""


class Contrast(str, Enum):
    """Between what the warps of a face are contrasted, and so where gradients go."""

    TARGET = "target"
    """Online predictions with target projections; negatives only as targets."""
    SYMMETRIC = "symmetric"
    """As ``TARGET``, and unpaired negatives also as predictions, with the targets."""
    ONLINE = "online"
    """Online projections with each other, so that both sides learn."""


class NegativesFrom(str, Enum):
    """Whose views are negatives of a view."""

    FACE = "face"
    """Other warps of the same face only, so that identity cannot help."""
    BATCH = "batch"
    """Those, and all views of the other faces of the batch."""


class LossTerms(NamedTuple):
    """The loss and what to log of it; all are scalars.

    Attributes:
        loss: ``positive_weight * positive + negative_weight * negative``.
        positive: Negative cosine of the positives, in [-1, 1].
        negative: Contrast with the warps, 0 or more; 0 without negatives.
        cosine_positive: Mean cosine of the positives.
        cosine_negative: Mean cosine of the negatives; 0 without negatives.
        top1: Share of anchors that are closer to their positive than to every
            negative; 1 without negatives.
    """

    loss: Tensor
    positive: Tensor
    negative: Tensor
    cosine_positive: Tensor
    cosine_negative: Tensor
    top1: Tensor


class ContraWarpLoss(nn.Module):
    """Loss of ContraWarping [0]: agree on global views, tell local warps apart.

    The contrast is cross-entropy of the other view of the same warp among negatives:
    other warps of the same face and, with ``negatives_from="batch"``, all warps of the
    other faces, as in SimCLR [2]. With a ``positive_weight``, BYOL's term [1] is added,
    ``-cos(p0, z1)`` and ``-cos(p1, z0)`` averaged, of predictions ``p`` of the online
    and projections ``z`` of the target network. The paper does not state its negative
    term; these forms are this package's.

    - [0]: ContraWarping, 2023, https://arxiv.org/abs/2303.09034
    - [1]: Bootstrap Your Own Latent, 2020, https://arxiv.org/abs/2006.07733
    - [2]: A Simple Framework for Contrastive Learning, 2020,
      https://arxiv.org/abs/2002.05709

    Attributes:
        form: Form of the negative term.
        negatives_from: Whose views are negatives.
        positive_weight: Weight of BYOL's term.
        negative_weight: Weight of the negative term; 0 gives BYOL.
        temperature: Divides the cosines of ``info_nce``.
        margin: By how much a positive shall be closer, for ``hinge``.

    Raises:
        ValueError: If a number is outside of its range, the hinge is asked for with
            negatives from the batch, or there is no torch.distributed to gather with.

    Examples:
        >>> criterion = ContraWarpLoss()
        >>> # first and second views of 10 faces and one warp of each
        >>> q0, q1 = torch.randn(2, 10, 2, 128)
        >>> loss = criterion((q0, q1))
    """

    def __init__(
        self,
        form: NegativeForm | str = NegativeForm.INFO_NCE,
        positive_weight: float = 0.0,
        negative_weight: float = 1.0,
        temperature: float = 0.1,
        margin: float = 0.2,
        negatives_from: NegativesFrom | str = NegativesFrom.BATCH,
        gather_distributed: bool = False,
    ) -> None:
        """Stores the settings.

        Args:
            form: Form of the negative term.
            positive_weight: Weight of the positive term.
            negative_weight: Weight of the negative term.
            temperature: Divides the cosines of ``info_nce``.
            margin: By how much a positive shall be closer, for ``hinge``.
            negatives_from: Whose views are negatives.
            gather_distributed: Whether the batch is that of all devices together.
                Warps of one face are on one device, so it matters only for
                ``negatives_from="batch"``.
        """
        super().__init__()
        check_range("temperature", temperature, 1e-8)
        check_range("positive_weight", positive_weight, 0)
        check_range("negative_weight", negative_weight, 0)
        check_range("margin", margin, 0)
        if not positive_weight and not negative_weight:
            raise InputError("positive_weight or negative_weight has to be above 0")
        self.form = NegativeForm(form)
        self.negatives_from = NegativesFrom(negatives_from)
        self.of_batch: NTXentLoss | None = None
        if self.negatives_from is NegativesFrom.BATCH:
            if self.form is NegativeForm.HINGE:
                raise ValueError("negatives_from='batch' needs form='info_nce'")
            self.of_batch = NTXentLoss(
                temperature, gather_distributed=gather_distributed
            )
        self.positive_weight = positive_weight
        self.negative_weight = negative_weight
        self.temperature = temperature
        self.margin = margin

    def forward(
        self,
        projections: Pair | None = None,
        predictions: Pair | None = None,
        targets: Pair | None = None,
        negatives: Tensor | None = None,
        negative_predictions: Tensor | None = None,
    ) -> Tensor:
        """Computes the loss; see :meth:`terms`."""
        return self.terms(
            projections, predictions, targets, negatives, negative_predictions
        ).loss

    def terms(
        self,
        projections: Pair | None = None,
        predictions: Pair | None = None,
        targets: Pair | None = None,
        negatives: Tensor | None = None,
        negative_predictions: Tensor | None = None,
    ) -> LossTerms:
        """Computes the loss and its parts, in float32 also under autocast.

        A pair holds the first and the second views, each ``[B, D]``, or for paired
        warps ``[B, M, D]``: M warps of each face, the face itself among them, which
        are each other's negatives.

        Where the gradient of the contrast goes is decided by what is passed: with
        online ``projections``, through both sides of every comparison; without, the
        predictions are compared with the targets.

        Args:
            projections: Online projections to contrast; ``negatives_from="batch"``
                needs them, and makes of them Lightly's NT-Xent.
            predictions: Predictions of the online network, for BYOL's term.
            targets: Projections of the target network, used as they are: detach them.
            negatives: Of unpaired views only: projections of K warped views,
                ``[B, K, D]``, online ones if ``projections`` are given, else of the
                target network.
            negative_predictions: Predictions of the same warped views, which are then
                compared with the targets of the positives as well, ``[B, K, D]``.

        Returns:
            The terms. Without predictions, the cosine of positives is that of the
            projections.

        Raises:
            ValueError: If something is missing, or shapes do not belong together.
        """
        check_shapes(projections, predictions, targets, negatives, negative_predictions)
        if self.positive_weight and predictions is None:
            raise ValueError("positive_weight needs predictions and targets")
        if self.of_batch is not None and (projections is None or negatives is not None):
            raise ValueError("negatives_from='batch' needs projections, paired")
        online = [unit(x) for x in predictions or projections or ()]
        target = [unit(x) for x in targets or projections or ()]
        with torch.autocast(online[0].device.type, enabled=False):
            (a0, a1), (b0, b1) = online, target
            cosine = ((a0 * b1).sum(-1).mean() + (a1 * b0).sum(-1).mean()) / 2
            if projections is not None:
                a0, a1 = b0, b1 = [unit(q) for q in projections]
            instances = None
            if self.of_batch is not None:
                instances = self.of_batch(a0.flatten(0, -2), a1.flatten(0, -2))
            if a0.ndim == 3:
                pairs = [split_diagonal(a0 @ b1.mT), split_diagonal(a1 @ b0.mT)]
            else:
                pairs = []
                if negatives is not None:
                    pairs += compare([(a0, b1), (a1, b0)], negatives)
                if negative_predictions is not None:
                    pairs += compare([(b1, a0), (b0, a1)], negative_predictions)
            return self._combine(cosine, pairs, instances)

    def _combine(
        self,
        cosine: Tensor,
        pairs: list[tuple[Tensor, Tensor]],
        negative: Tensor | None,
    ) -> LossTerms:
        """Weighs the terms; ``negative`` is the contrast of the batch, if wanted."""
        cosine_negative, top1 = torch.zeros_like(cosine), torch.ones_like(cosine)
        if negative is None:
            parts = [self._contrast(*pair) for pair in pairs]
            negative = torch.stack(parts or [torch.zeros_like(cosine)]).mean()
        if pairs:
            cosine_negative = torch.stack([far.mean() for _, far in pairs]).mean()
            top1 = torch.stack(
                [
                    (far < close[..., None]).all(-1).float().mean()
                    for close, far in pairs
                ]
            ).mean()
        loss = -self.positive_weight * cosine + self.negative_weight * negative
        detached = (-cosine, negative, cosine, cosine_negative, top1)
        return LossTerms(loss, *(term.detach() for term in detached))

    def _contrast(self, close: Tensor, far: Tensor) -> Tensor:
        """Negative term of cosines ``[...]`` to positives, ``[..., K]`` to warps."""
        if self.form is NegativeForm.HINGE:
            return F.relu(far - close[..., None] + self.margin).mean()
        logits = torch.cat([close[..., None], far], dim=-1) / self.temperature
        return (logits.logsumexp(-1) - logits[..., 0]).mean()
