"""The target network: a slowly moving copy of the online one, as in BYOL."""

from __future__ import annotations

import copy

import torch
from lightly.models.utils import deactivate_requires_grad, update_momentum
from torch import Tensor, nn


class TargetNetwork(nn.Module):
    """Backbone and projection head that follow the online ones and get no gradient."""

    def __init__(self, backbone: nn.Module, projection_head: nn.Module) -> None:
        """Copies the online network."""
        super().__init__()
        self.backbone = copy.deepcopy(backbone)
        self.projection_head = copy.deepcopy(projection_head)
        deactivate_requires_grad(self)

    @torch.no_grad()
    def forward(self, images: Tensor) -> Tensor:
        """Projects normalised images ``[N, 3, S, S]`` to ``[N, D]``."""
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
        update_momentum(backbone, self.backbone, momentum)
        update_momentum(projection_head, self.projection_head, momentum)
