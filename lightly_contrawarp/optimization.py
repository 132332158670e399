"""Optimiser and learning-rate schedule of a pre-training run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from lightly.models.utils import get_weight_decay_parameters
from lightly.utils.scheduler import cosine_warmup_schedule
from torch import nn
from torch.optim.lr_scheduler import LambdaLR


def adamw_with_cosine(
    modules: Sequence[nn.Module],
    *,
    lr: float,
    weight_decay: float,
    warmup_fraction: float,
    total_steps: int,
) -> dict[str, Any]:
    """AdamW with a linear warm-up and a cosine decay to 0, by step.

    Args:
        modules: What is trained.
        lr: Peak learning rate.
        weight_decay: Decay of weights; norms and biases have none.
        warmup_fraction: Share of the steps over which the rate rises.
        total_steps: Length of the run.

    Returns:
        What ``configure_optimizers`` of a LightningModule returns.
    """
    decayed, spared = get_weight_decay_parameters(modules)
    optimizer = torch.optim.AdamW(
        [
            {"params": decayed, "weight_decay": weight_decay},
            {"params": spared, "weight_decay": 0.0},
        ],
        lr=lr,
        fused=True,  # a quarter of the time on a CPU
    )
    warmup = int(warmup_fraction * total_steps)

    # A plain function keeps no state: a run resumed with more epochs follows the new
    # length, which Lightly's CosineWarmupScheduler would not.
    def factor(step: int) -> float:
        step = min(step, total_steps)
        return float(cosine_warmup_schedule(step, total_steps, 1.0, 0.0, warmup, 0.0))

    scheduler = {"scheduler": LambdaLR(optimizer, factor), "interval": "step"}
    return {"optimizer": optimizer, "lr_scheduler": scheduler}
