"""``ContraWarpLoss``: BYOL's positive term and the contrast with local warps."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, NamedTuple

import torch
from jaxtyping import Float, Float32
from lightly.loss import NTXentLoss
from torch import Tensor, nn

from lightly_contrawarp.loss.cosines import Pair, check_shapes, split_diagonal, unit
from lightly_contrawarp.loss.hyperparameters import spells_out
from lightly_contrawarp.loss.settings import LossSettings, NegativesFrom


class LossTerms(NamedTuple):
    """The loss and what to log of it.

    Attributes:
        loss: ``positive_weight * positive + negative_weight * negative``.
        positive: Negative cosine of the positives, in [-1, 1].
        negative: Contrast with the warps, 0 or more; 0 without negatives.
        cosine_positive: Mean cosine of the positives.
        cosine_negative: Mean cosine of the negatives; 0 without negatives.
        top1: Share of anchors that are closer to their positive than to every
            negative; 1 without negatives.
    """

    loss: Float32[Tensor, ""]
    positive: Float32[Tensor, ""]
    negative: Float32[Tensor, ""]
    cosine_positive: Float32[Tensor, ""]
    cosine_negative: Float32[Tensor, ""]
    top1: Float32[Tensor, ""]


@spells_out(LossSettings)
class ContraWarpLoss(nn.Module):
    """Loss of ContraWarping [0]: agree on global views, tell local warps apart.

    The contrast is cross-entropy of the other view of the same warp among negatives:
    other warps of the same face and, with ``negatives_from="batch"``, all warps of the
    other faces, as in SimCLR [2]. With a ``positive_weight``, BYOL's term [1] is added,
    ``-cos(p0, z1)`` and ``-cos(p1, z0)`` averaged, of predictions ``p`` of the online
    and projections ``z`` of the target network. The paper does not state its negative
    term; this form is this package's.

    - [0]: ContraWarping, 2023, https://arxiv.org/abs/2303.09034
    - [1]: Bootstrap Your Own Latent, 2020, https://arxiv.org/abs/2006.07733
    - [2]: A Simple Framework for Contrastive Learning, 2020,
      https://arxiv.org/abs/2002.05709

    Attributes:
        settings: What it computes.

    Examples:
        >>> criterion = ContraWarpLoss()
        >>> # first and second views of 10 faces and one warp of each
        >>> q0, q1 = torch.randn(2, 10, 2, 128)
        >>> loss = criterion((q0, q1))
    """

    def __init__(
        self,
        settings: LossSettings | None = None,
        *,
        gather_distributed: bool = False,
        **changes: Any,
    ) -> None:
        """Stores the settings.

        Args:
            settings: What to compute; the defaults if there are none.
            gather_distributed: Whether the batch is that of all devices together.
                Warps of one face are on one device, so it matters only for
                ``negatives_from="batch"``.
            **changes: Fields of `LossSettings` that shall differ, such as
                ``temperature=0.2``.

        Raises:
            InputError: If a setting is outside of its range.
            ValueError: If there is no torch.distributed to gather with.
        """
        super().__init__()
        self.settings = replace(settings or LossSettings(), **changes)
        self.of_batch: NTXentLoss | None = None
        if self.settings.negatives_from == NegativesFrom.BATCH:
            self.of_batch = NTXentLoss(
                self.settings.temperature, gather_distributed=gather_distributed
            )

    def forward(
        self,
        projections: Pair | None = None,
        predictions: Pair | None = None,
        targets: Pair | None = None,
        negatives: Float[Tensor, "b m d"] | None = None,
    ) -> Float32[Tensor, ""]:
        """Computes the loss; see :meth:`terms`."""
        return self.terms(projections, predictions, targets, negatives).loss

    def terms(
        self,
        projections: Pair | None = None,
        predictions: Pair | None = None,
        targets: Pair | None = None,
        negatives: Float[Tensor, "b m d"] | None = None,
    ) -> LossTerms:
        """Computes the loss and its terms, in float32 also under autocast.

        A pair holds the first and the second views, for paired warps with an axis of
        the warps of each face, the face itself among them: they are each other's
        negatives.

        Where the gradient of the contrast goes is decided by what is passed: with
        online ``projections``, through both sides of every comparison; without, the
        predictions are compared with the targets.

        Args:
            projections: Online projections to contrast; ``negatives_from="batch"``
                needs them, and makes of them Lightly's NT-Xent.
            predictions: Predictions of the online network, for BYOL's term.
            targets: Projections of the target network, used as they are: detach them.
            negatives: Of unpaired views only: projections of warped views, online ones
                if ``projections`` are given, else of the target network.

        Returns:
            The terms. Without predictions, the cosine of positives is that of the
            projections.

        Raises:
            ValueError: If something is missing, or shapes do not belong together.
        """
        check_shapes(projections, predictions, targets, negatives)
        if self.settings.positive_weight and predictions is None:
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
            pairs = []
            if a0.ndim == 3:
                pairs = [split_diagonal(a0 @ b1.mT), split_diagonal(a1 @ b0.mT)]
            elif negatives is not None:
                far = unit(negatives)
                pairs = [
                    ((anchor * close).sum(-1), (far @ anchor[..., None])[..., 0])
                    for anchor, close in ((a0, b1), (a1, b0))
                ]
            return self._combine(cosine, pairs, instances)

    def _combine(
        self,
        cosine: Float32[Tensor, ""],
        pairs: list[tuple[Float32[Tensor, "*b"], Float32[Tensor, "*b m"]]],
        negative: Float32[Tensor, ""] | None,
    ) -> LossTerms:
        """Weighs the terms; ``negative`` is the contrast of the batch, if wanted."""
        cosine_negative, top1 = torch.zeros_like(cosine), torch.ones_like(cosine)
        if negative is None:
            contrasts = [self.contrast(*pair) for pair in pairs]
            negative = torch.stack(contrasts or [torch.zeros_like(cosine)]).mean()
        if pairs:
            cosine_negative = torch.stack([far.mean() for _, far in pairs]).mean()
            top1 = torch.stack(
                [
                    (far < close[..., None]).all(-1).float().mean()
                    for close, far in pairs
                ]
            ).mean()
        weights = self.settings
        loss = -weights.positive_weight * cosine + weights.negative_weight * negative
        detached = (-cosine, negative, cosine, cosine_negative, top1)
        return LossTerms(loss, *(term.detach() for term in detached))

    def contrast(
        self, close: Float[Tensor, "*b"], far: Float[Tensor, "*b m"]
    ) -> Float[Tensor, ""]:
        """Negative term of cosines to positives, and to warps."""
        logits = torch.cat([close[..., None], far], dim=-1) / self.settings.temperature
        return (logits.logsumexp(-1) - logits[..., 0]).mean()
