"""Optimiser and schedules of a pre-training run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from lightly.models.utils import get_weight_decay_parameters
from lightly.utils.scheduler import cosine_schedule, cosine_warmup_schedule
from pytorch_lightning import Trainer
from pytorch_lightning.plugins.precision import MixedPrecision
from torch import nn
from torch.optim.lr_scheduler import LambdaLR

from lightly_contrawarp.models.run_position import run_position


def adamw(
    modules: Sequence[nn.Module], *, lr: float, weight_decay: float, fused: bool = True
) -> torch.optim.AdamW:
    """AdamW without decay of norms and biases.

    Args:
        modules: What is trained.
        lr: Peak learning rate.
        weight_decay: Decay of weights; norms and biases have none.
        fused: Whether to take the whole step in one kernel, where the device has one:
            a quarter of the time on a CPU.
    """
    decayed, spared = get_weight_decay_parameters(modules)
    has_kernel = {weight.device.type for weight in decayed} <= {"cpu", "cuda"}
    return torch.optim.AdamW(
        [
            {"params": decayed, "weight_decay": weight_decay},
            {"params": spared, "weight_decay": 0.0},
        ],
        lr=lr,
        fused=fused and has_kernel,
    )


def can_fuse(trainer: Trainer) -> bool:
    """Whether a fused optimiser meets the settings of a trainer.

    It would unscale gradients within its step, so that Lightning cannot clip them
    under mixed precision.
    """
    clips = bool(trainer.gradient_clip_val)
    return not (clips and isinstance(trainer.precision_plugin, MixedPrecision))


def follow_run(
    optimizer: torch.optim.Optimizer, trainer: Trainer, warmup_fraction: float
) -> dict[str, Any]:
    """Lets the learning rate follow the share of a run that is done.

    A resumed run follows its present length, whatever that was before.

    Args:
        optimizer: Has the peak learning rate.
        trainer: Takes the steps.
        warmup_fraction: Share of the steps over which the rate rises.

    Returns:
        What ``configure_optimizers`` of a LightningModule returns.

    Raises:
        InputError: If the length of the run is not known.
    """

    def factor(_: int) -> float:
        # The batch that was just trained on is done, when Lightning asks.
        place = run_position(trainer, trainer.fit_loop.batch_idx + 1)
        return rate_factor(*place, warmup_fraction)

    scheduler = {"scheduler": LambdaLR(optimizer, factor), "interval": "step"}
    return {"optimizer": optimizer, "lr_scheduler": scheduler}


def rate_factor(step: int, total: int, warmup_fraction: float) -> float:
    """Learning rate as a share of the peak: a linear warm-up, then a cosine to 0.

    Args:
        step: Number of steps taken.
        total: Length of the run.
        warmup_fraction: Share of the steps over which the rate rises.
    """
    length = total + 1  # the rate is 0 after the last step, not in it
    warmup = int(warmup_fraction * length)
    return float(
        cosine_warmup_schedule(min(step, length), length, 1.0, 0.0, warmup, 0.0)
    )


def target_momentum(step: int, total: int, start: float) -> float:
    """Momentum of the target network: a cosine from ``start`` to 1.

    Args:
        step: Number of steps taken.
        total: Length of the run.
        start: Momentum in the first step.
    """
    return float(cosine_schedule(min(step, total), total + 1, start, 1.0))
