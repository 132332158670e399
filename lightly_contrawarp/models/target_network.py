"""The target network: a slowly moving copy of the online one, as in BYOL."""

from __future__ import annotations

import copy

import torch
from jaxtyping import Float
from lightly.models.utils import deactivate_requires_grad
from torch import Tensor, nn
from torch.optim.swa_utils import get_ema_multi_avg_fn


class TargetNetwork(nn.Module):
    """Backbone and projection head that follow the online ones and get no gradient."""

    def __init__(self, backbone: nn.Module, projection_head: nn.Module) -> None:
        """Copies the online network."""
        super().__init__()
        self.backbone = copy.deepcopy(backbone)
        self.projection_head = copy.deepcopy(projection_head)
        deactivate_requires_grad(self)

    @torch.no_grad()
    def forward(self, images: Float[Tensor, "n 3 s s"]) -> Float[Tensor, "n d"]:
        """Projects normalised images."""
        projections: Tensor = self.projection_head(self.backbone(images).flatten(1))
        return projections

    def follow(
        self, backbone: nn.Module, projection_head: nn.Module, momentum: float
    ) -> None:
        """Moves towards the online network.

        Args:
            backbone: The online backbone.
            projection_head: The online head.
            momentum: Share of the present weights that is kept, from 0 to 1.
        """
        # All weights in one pass: less than half the time of Lightly's update_momentum.
        own = [*self.backbone.parameters(), *self.projection_head.parameters()]
        online = [*backbone.parameters(), *projection_head.parameters()]
        move = get_ema_multi_avg_fn(momentum)  # type: ignore[no-untyped-call]
        move(own, online, 0)
