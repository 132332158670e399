"""Signs that a run goes wrong: weights that are no numbers, features all alike."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from jaxtyping import Float
from pytorch_lightning import Callback, LightningModule, Trainer
from pytorch_lightning.utilities import rank_zero_warn
from torch import Tensor

from contrawarp_edge.core.errors import InputError
from lightly_contrawarp.loss.contrawarp_loss import LossTerms
from lightly_contrawarp.models.finite import all_finite

LOSS = "train/loss"
SPREAD = "train/feature_spread"
"""What is logged of the features: near 1 if spread out, near 0 once all are alike."""

_ALIKE = 0.02  # random encoders are at 0.2 to 0.9
_PATIENCE = 10  # readings in a row


class DivergedError(InputError):
    """The weights of a run are no longer finite numbers."""


def check_finite(
    state: Mapping[str, Any], steps: int, trainer: Trainer | None = None
) -> None:
    """Refuses weights that are of no use.

    Args:
        state: Weights and statistics of a module.
        steps: Optimiser steps that led there.
        trainer: Asks all of its processes, so that all of them stop if one has to.

    Raises:
        DivergedError: If one of them is NaN or infinite.
    """
    broken = not all_finite(state.values())
    if trainer is not None:
        broken = trainer.strategy.reduce_boolean_decision(broken, all=False)
    if broken:
        raise DivergedError(
            f"training has diverged: after {steps:,} steps, weights or statistics are "
            "no longer finite numbers. They are not saved, and earlier checkpoints "
            "stay as they are; try a lower lr, another precision, or gradient_clip_val "
            "of the Trainer"
        )


class TrainingWatch(Callback):
    """Stops a run that has diverged, and warns of one that has collapsed.

    What the device computed is read once in ``log_every_n_steps`` batches, as loggers
    do, since reading waits for it; with 0 only before saving and at the end.
    """

    def __init__(self) -> None:
        self._batches = 0
        self._alike = 0

    def on_train_batch_end(
        self,
        trainer: Trainer,
        module: LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
    ) -> None:
        """Reads loss and spread, now and then.

        Raises:
            DivergedError: If weights are no longer finite.
        """
        self._batches += 1
        every: int = trainer.log_every_n_steps  # type: ignore[attr-defined]
        if not every or self._batches % every:
            return
        logged = trainer.callback_metrics
        # A loss alone says little: a gradient scaler leaves such a step out.
        lost = not math.isfinite(float(logged.get(LOSS, 0.0)))
        if trainer.strategy.reduce_boolean_decision(lost, all=False):
            check_finite(module.state_dict(), trainer.global_step, trainer)
        self._look_at(float(logged.get(SPREAD, 1.0)))

    def on_train_end(self, trainer: Trainer, module: LightningModule) -> None:
        """Looks at what a run leaves, be it too short for a look before.

        Raises:
            DivergedError: If weights are not finite.
        """
        check_finite(module.state_dict(), trainer.global_step, trainer)

    def _look_at(self, spread: float) -> None:
        self._alike = self._alike + 1 if spread < _ALIKE else 0
        if self._alike == _PATIENCE:
            rank_zero_warn(
                f"the features of all images are nearly the same ({SPREAD} is "
                f"{spread:.4f}; 1 is spread out): the encoder has collapsed. Try a "
                "lower lr, larger batches, or negatives (negative_weight, "
                "negatives_from)"
            )


def to_log(
    terms: LossTerms, known_r2: Float[Tensor, " a"], actions: Sequence[str]
) -> tuple[dict[str, Tensor], Float[Tensor, " a"]]:
    """Names what was computed of a loss.

    Args:
        terms: The loss.
        known_r2: R2 of each action as last known; stands in for actions that nobody
            drew in the batch.
        actions: Their names.

    Returns:
        The terms by name, and the R2 as known now.
    """
    found = {name: term for name, term in terms._asdict().items() if term is not None}
    if "r2" in found:
        r2 = found.pop("r2")
        known_r2 = torch.where(r2.isnan(), known_r2, r2)
        found |= {f"r2/{name}": known_r2[i] for i, name in enumerate(actions)}
    return found, known_r2
