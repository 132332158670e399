"""``ContraWarpLoss``: BYOL's term, the contrast of local warps, and their actions."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any, NamedTuple

import torch
from jaxtyping import Float, Float32
from lightly.loss import NTXentLoss
from torch import Tensor, nn

from lightly_contrawarp.loss.actions import action_errors
from lightly_contrawarp.loss.cosines import Pair, check_shapes, split_diagonal, unit
from lightly_contrawarp.loss.hyperparameters import spells_out
from lightly_contrawarp.loss.settings import LossSettings, NegativesFrom


class LossTerms(NamedTuple):
    """The loss and what to log of it; ``None`` is what was not computed.

    Attributes:
        loss: ``positive_weight * positive + negative_weight * negative +
            action_weight * action``, of what was computed.
        positive: Negative cosine of the positives, in [-1, 1].
        negative: Contrast with the warps, 0 or more.
        cosine_positive: Mean cosine of the positives.
        cosine_negative: Mean cosine to other warps of the same face.
        top1: Share of anchors that are closer to their positive than to every other
            warp of the same face.
        action: Mean squared error of the predicted actions over the mean square of
            the actions: 1 is to know nothing, 0 is perfect.
        r2: ``1 - sum(error^2) / sum(action^2)`` of each action over the batch; NaN for
            an action that nobody drew.
    """

    loss: Float32[Tensor, ""]
    positive: Float32[Tensor, ""] | None = None
    negative: Float32[Tensor, ""] | None = None
    cosine_positive: Float32[Tensor, ""] | None = None
    cosine_negative: Float32[Tensor, ""] | None = None
    top1: Float32[Tensor, ""] | None = None
    action: Float32[Tensor, ""] | None = None
    r2: Float32[Tensor, " a"] | None = None


@spells_out(LossSettings)
class ContraWarpLoss(nn.Module):
    """Loss of ContraWarping [0]: agree on global views, read local warps off features.

    The contrast is cross-entropy of the other view of the same warp among negatives:
    other warps of the same face and, with ``negatives_from="batch"``, all warps of the
    other faces, as in SimCLR [2]. With a ``positive_weight``, BYOL's term [1] is added,
    ``-cos(p0, z1)`` and ``-cos(p1, z0)`` averaged, of predictions ``p`` of the online
    and projections ``z`` of the target network. The paper does not state its negative
    term; this form is this package's.

    The action term is the squared error of what an ``ActionHead`` predicts the warps to
    have done, over the square of what they did.

    - [0]: ContraWarping, 2023, https://arxiv.org/abs/2303.09034
    - [1]: Bootstrap Your Own Latent, 2020, https://arxiv.org/abs/2006.07733
    - [2]: A Simple Framework for Contrastive Learning, 2020,
      https://arxiv.org/abs/2002.05709

    Attributes:
        settings: What it computes.

    Examples:
        >>> criterion = ContraWarpLoss(positive_weight=0.0, negative_weight=1.0)
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
        of_batch = self.settings.negatives_from == NegativesFrom.BATCH
        if of_batch and self.settings.negative_weight:
            self.of_batch = NTXentLoss(
                self.settings.temperature, gather_distributed=gather_distributed
            )

    def forward(
        self,
        projections: Pair | None = None,
        predictions: Pair | None = None,
        targets: Pair | None = None,
        negatives: Float[Tensor, "b m d"] | None = None,
        *,
        predicted_actions: Float[Tensor, "*pairs b m a"] | None = None,
        actions: Float[Tensor, "b m a"] | None = None,
    ) -> Float32[Tensor, ""]:
        """Computes the loss; see :meth:`terms`."""
        return self.terms(
            projections,
            predictions,
            targets,
            negatives,
            predicted_actions=predicted_actions,
            actions=actions,
        ).loss

    def terms(
        self,
        projections: Pair | None = None,
        predictions: Pair | None = None,
        targets: Pair | None = None,
        negatives: Float[Tensor, "b m d"] | None = None,
        *,
        predicted_actions: Float[Tensor, "*pairs b m a"] | None = None,
        actions: Float[Tensor, "b m a"] | None = None,
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
            predicted_actions: What an ``ActionHead`` predicts; leading axes hold
                predictions from several pairs of views. Without them there is no
                action term, as without warps there is none.
            actions: What the warps did: what ``ContraWarpTransform`` returns last.

        Returns:
            The terms. Without predictions, the cosine of positives is that of the
            projections.

        Raises:
            ValueError: If something is missing, or shapes do not belong together.
        """
        self._check(projections, predictions, targets, negatives)
        if (predicted_actions is None) != (actions is None):
            raise ValueError("predicted_actions and actions have to be given together")
        found: dict[str, Tensor] = {}
        online, target = predictions or projections, targets or projections
        if online is not None and target is not None:
            with torch.autocast(online[0].device.type, enabled=False):
                (a0, a1), (b0, b1) = map(unit, online), map(unit, target)
                cosine = ((a0 * b1).sum(-1).mean() + (a1 * b0).sum(-1).mean()) / 2
                found |= {"positive": -cosine, "cosine_positive": cosine}
                if self.settings.negative_weight:
                    if projections is not None:
                        a0, a1 = b0, b1 = [unit(q) for q in projections]
                    found |= self._contrasts((a0, a1), (b0, b1), negatives)
        if predicted_actions is not None and actions is not None:
            found |= action_errors(predicted_actions, actions)._asdict()
        weights = {
            name: getattr(self.settings, f"{name}_weight")
            for name in ("positive", "negative", "action")
        }
        terms = [
            weight * found[name] for name, weight in weights.items() if name in found
        ]
        if not terms:
            raise ValueError("action_weight needs predicted_actions and actions")
        loss = torch.stack(terms).sum()
        return LossTerms(loss, **{name: term.detach() for name, term in found.items()})

    def _check(
        self,
        projections: Pair | None,
        predictions: Pair | None,
        targets: Pair | None,
        negatives: Float[Tensor, "b m d"] | None,
    ) -> None:
        """Checks that everything is there that the settings need, in fitting shapes."""
        check_shapes(projections, predictions, targets, negatives)
        if self.settings.positive_weight and predictions is None:
            raise ValueError("positive_weight needs predictions and targets")
        if not self.settings.negative_weight:
            return
        if projections is None and predictions is None:
            raise ValueError("give projections, or predictions and targets")
        if self.of_batch is not None and (projections is None or negatives is not None):
            raise ValueError("negatives_from='batch' needs projections, paired")

    def _contrasts(
        self, anchors: Pair, others: Pair, negatives: Float[Tensor, "b m d"] | None
    ) -> dict[str, Tensor]:
        """The contrast of unit vectors, and how own warps take part in it, if any."""
        (a0, a1), (b0, b1) = anchors, others
        pairs = []
        if a0.ndim == 3:
            pairs = [split_diagonal(a0 @ b1.mT), split_diagonal(a1 @ b0.mT)]
        elif negatives is not None:
            far = unit(negatives)
            pairs = [
                ((anchor * close).sum(-1), (far @ anchor[..., None])[..., 0])
                for anchor, close in ((a0, b1), (a1, b0))
            ]
        found = {}
        if self.of_batch is not None:
            found["negative"] = self.of_batch(a0.flatten(0, -2), a1.flatten(0, -2))
        elif pairs:
            found["negative"] = _mean(self.contrast(*pair) for pair in pairs)
        if pairs:
            found["cosine_negative"] = _mean(far.mean() for _, far in pairs)
            found["top1"] = _mean(
                (far < close[..., None]).all(-1).float().mean() for close, far in pairs
            )
        return found

    def contrast(
        self, close: Float[Tensor, "*b"], far: Float[Tensor, "*b m"]
    ) -> Float[Tensor, ""]:
        """Negative term of cosines to positives, and to warps."""
        logits = torch.cat([close[..., None], far], dim=-1) / self.settings.temperature
        return (logits.logsumexp(-1) - logits[..., 0]).mean()


def _mean(values: Iterable[Float32[Tensor, ""]]) -> Float32[Tensor, ""]:
    return torch.stack(list(values)).mean()
