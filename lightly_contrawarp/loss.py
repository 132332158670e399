"""``ContraWarpLoss``: BYOL's positive term and the contrast with local warps."""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F


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

    With predictions ``p`` of the online and projections ``z`` of the target network,
    the positive term is BYOL's [1], ``-cos(p0, z1)`` and ``-cos(p1, z0)`` averaged.
    The negatives of an image are warps of the same face only: other faces would let
    identity help. The paper does not state its negative term; these forms are this
    package's.

    - [0]: ContraWarping, 2023, https://arxiv.org/abs/2303.09034
    - [1]: Bootstrap Your Own Latent, 2020, https://arxiv.org/abs/2006.07733

    Attributes:
        form: Form of the negative term.
        positive_weight: Weight of the positive term.
        negative_weight: Weight of the negative term; 0 gives BYOL.
        temperature: Divides the cosines of ``info_nce``.
        margin: By how much a positive shall be closer, for ``hinge``.

    Raises:
        ValueError: If the temperature is not positive, or a weight is negative.

    Examples:
        >>> criterion = ContraWarpLoss()
        >>> p0, p1, z0, z1 = torch.randn(4, 10, 128)
        >>> negatives = torch.randn(10, 3, 128)  # three warps of each face
        >>> loss = criterion(p0, p1, z0, z1, negatives)
    """

    def __init__(
        self,
        form: NegativeForm | str = NegativeForm.INFO_NCE,
        positive_weight: float = 1.0,
        negative_weight: float = 5.0,
        temperature: float = 0.1,
        margin: float = 0.2,
    ) -> None:
        super().__init__()
        if temperature < 1e-8:
            raise ValueError(f"temperature must be positive, got {temperature}")
        if min(positive_weight, negative_weight) < 0:
            raise ValueError("positive_weight and negative_weight must be 0 or more")
        self.form = NegativeForm(form)
        self.positive_weight = positive_weight
        self.negative_weight = negative_weight
        self.temperature = temperature
        self.margin = margin

    def forward(
        self,
        p0: Tensor,
        p1: Tensor,
        z0: Tensor,
        z1: Tensor,
        negatives: Tensor | None = None,
        negative_predictions: Tensor | None = None,
        projections: tuple[Tensor, Tensor] | None = None,
    ) -> Tensor:
        """Computes the loss; see :meth:`terms`."""
        return self.terms(
            p0, p1, z0, z1, negatives, negative_predictions, projections
        ).loss

    def terms(
        self,
        p0: Tensor,
        p1: Tensor,
        z0: Tensor,
        z1: Tensor,
        negatives: Tensor | None = None,
        negative_predictions: Tensor | None = None,
        projections: tuple[Tensor, Tensor] | None = None,
    ) -> LossTerms:
        """Computes the loss and its parts, in float32 also under autocast.

        Where the gradient of the contrast goes is decided by what is passed: through
        the predictions only, through those of the negatives too, or, with online
        ``projections`` (and ``negatives`` that are online projections), through both
        sides of every comparison.

        Args:
            p0: Predictions of the first views, ``[B, D]``; for paired warps
                ``[B, M, D]``: M warps of each face, which are each other's negatives.
            p1: Predictions of the second views, shaped as ``p0``.
            z0: Target projections of the first views, shaped as ``p0``.
            z1: Target projections of the second views, shaped as ``p0``.
            negatives: Projections of K warped views, ``[B, K, D]``, of the target
                network, or of the online one with ``projections``. Only for unpaired
                views.
            negative_predictions: Predictions of the same warped views, which are then
                compared with the targets of the positives as well, ``[B, K, D]``.
            projections: Online projections of the first and second views, shaped as
                ``p0``, to contrast instead of predictions and targets.

        Returns:
            The terms. The targets are used as they are: detach them.

        Raises:
            ValueError: If the shapes do not belong together.
        """
        _check_shapes(p0, p1, z0, z1, negatives, negative_predictions, projections)
        with torch.autocast(p0.device.type, enabled=False):
            a0, a1, b0, b1 = (_unit(x) for x in (p0, p1, z0, z1))
            cosine = ((a0 * b1).sum(-1).mean() + (a1 * b0).sum(-1).mean()) / 2
            if projections is not None:
                a0, a1 = b0, b1 = [_unit(q) for q in projections]
            if p0.ndim == 3:
                pairs = [_split_diagonal(a0 @ b1.mT), _split_diagonal(a1 @ b0.mT)]
            else:
                pairs = []
                if negatives is not None:
                    pairs += _compare([(a0, b1), (a1, b0)], negatives)
                if negative_predictions is not None:
                    pairs += _compare([(b1, a0), (b0, a1)], negative_predictions)
            return self._combine(cosine, pairs)

    def _combine(self, cosine: Tensor, pairs: list[tuple[Tensor, Tensor]]) -> LossTerms:
        negative, cosine_negative = torch.zeros_like(cosine), torch.zeros_like(cosine)
        top1 = torch.ones_like(cosine)
        if pairs:
            negative = torch.stack([self._contrast(*pair) for pair in pairs]).mean()
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


def _unit(x: Tensor) -> Tensor:
    return F.normalize(x.float(), dim=-1)


def _compare(
    positives: list[tuple[Tensor, Tensor]], negatives: Tensor
) -> list[tuple[Tensor, Tensor]]:
    """Cosines ``[B]`` and ``[B, K]`` of anchors to their positive and to negatives."""
    far = _unit(negatives)
    return [
        ((anchor * close).sum(-1), (far @ anchor[..., None])[..., 0])
        for anchor, close in positives
    ]


def _split_diagonal(cosines: Tensor) -> tuple[Tensor, Tensor]:
    """Splits ``[B, M, M]`` into diagonal ``[B, M]`` and the rest ``[B, M, M-1]``."""
    batch, size, _ = cosines.shape
    rest = cosines.flatten(1)[:, 1:].reshape(batch, size - 1, size + 1)[..., :-1]
    return cosines.diagonal(dim1=1, dim2=2), rest.reshape(batch, size, size - 1)


def _check_shapes(
    p0: Tensor,
    p1: Tensor,
    z0: Tensor,
    z1: Tensor,
    negatives: Tensor | None,
    negative_predictions: Tensor | None,
    projections: tuple[Tensor, Tensor] | None,
) -> None:
    if p0.ndim not in (2, 3) or (p0.ndim == 3 and p0.shape[1] < 2):
        raise ValueError(
            "p0 must be [B, D], or [B, M, D] with M of at least 2 paired warps, "
            f"got {list(p0.shape)}"
        )
    same = {"p1": p1, "z0": z0, "z1": z1}
    for index, tensor in enumerate(projections or ()):
        same[f"projections[{index}]"] = tensor
    for name, tensor in same.items():
        if tensor.shape != p0.shape:
            raise ValueError(
                f"{name} must have the shape of p0, {list(p0.shape)}, "
                f"got {list(tensor.shape)}"
            )
    extra = {"negatives": negatives, "negative_predictions": negative_predictions}
    for name, given in extra.items():
        if given is None:
            continue
        if p0.ndim == 3:
            raise ValueError(f"{name} must be None with paired warps [B, M, D]")
        wanted = (p0.shape[0], p0.shape[1])
        if given.ndim != 3 or (given.shape[0], given.shape[2]) != wanted:
            raise ValueError(
                f"{name} must be [{wanted[0]}, K, {wanted[1]}], got {list(given.shape)}"
            )
