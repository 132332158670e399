"""Predicting what a warp did from how the features of a face moved."""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Float, Float32
from torch import Tensor, nn
from torch.nn import functional as F


class ActionHead(nn.Module):
    """Reads the strengths of actions off the difference of the features of two views.

    A linear map without bias, so that features have to move in one direction for one
    action, whoever's face it is, and a warp that does nothing is predicted to do
    nothing. Weights are 0 at first, and so are predictions.

    Examples:
        >>> from lightly_contrawarp import ActionHead
        >>> head = ActionHead(512, 10)
        >>> # one warp of each of 8 faces, in a view each
        >>> warped, unwarped = torch.randn(2, 8, 1, 512)
        >>> head(warped, unwarped).shape
        torch.Size([8, 1, 10])
    """

    def __init__(self, feature_dim: int, num_actions: int) -> None:
        """Makes a map that predicts 0.

        Args:
            feature_dim: Number of features of the encoder.
            num_actions: Number of actions that warps are made of.
        """
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(num_actions, feature_dim))

    def forward(
        self, warped: Float[Tensor, "*b d"], unwarped: Float[Tensor, "*#b d"]
    ) -> Float32[Tensor, "*b a"]:
        """Predicts signed strengths, in float32 also under autocast.

        Args:
            warped: Features of views of warped faces.
            unwarped: Features of views of the same faces as they are. No draw of
                global parameters may be shared with ``warped``: each view has its own.
        """
        with torch.autocast(warped.device.type, enabled=False):
            return F.linear(warped.float() - unwarped.float(), self.weight.float())


class ActionErrors(NamedTuple):
    """How well actions are predicted.

    Attributes:
        action: Mean squared error over the mean square of the targets: 1 for a
            prediction of 0, and 0 for a perfect one. Where nothing was to be
            predicted, the mean squared error.
        r2: ``1 - sum(error^2) / sum(target^2)`` of each action over the batch; NaN for
            one that nobody drew.
    """

    action: Float32[Tensor, ""]
    r2: Float32[Tensor, " a"]


def action_errors(
    predicted: Float[Tensor, "*pairs b m a"], actions: Float[Tensor, "b m a"]
) -> ActionErrors:
    """Compares predictions with what the warps did.

    Signs are random, so that targets have mean 0, and their mean square is their
    variance.

    Args:
        predicted: Predictions; leading axes hold several of the same actions.
        actions: Signed strengths, as ``ContraWarpTransform`` gives them.

    Raises:
        ValueError: If shapes do not belong together.
    """
    if predicted.shape[-3:] != actions.shape or actions.ndim != 3:
        raise ValueError(
            "actions must be [B, K, A] and predicted_actions end with that shape, got "
            f"{list(actions.shape)} and {list(predicted.shape)}"
        )
    target = actions.float().expand(predicted.shape).flatten(0, -2)
    error = (predicted.float().flatten(0, -2) - target).square()
    square = target.square()
    power = square.mean()
    action = error.mean() / torch.where(power > 0, power, 1)
    total = square.sum(0)
    drawn = torch.where(total > 0, total, torch.nan)
    return ActionErrors(action, 1 - error.detach().sum(0) / drawn)
