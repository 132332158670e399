"""How much of a run is done, whatever limits it; schedules follow that."""

from __future__ import annotations

import math
from typing import NamedTuple

from pytorch_lightning import Trainer

from contrawarp_edge.core.errors import InputError


class RunPosition(NamedTuple):
    """A place in a run, in optimiser steps of its present length.

    Attributes:
        step: Steps that are done, from 0 to ``total``. In a resumed run whose epochs
            have another length than before, as many as its share would have taken.
        total: Steps of the whole run.
    """

    step: int
    total: int


def run_position(trainer: Trainer, batches: int) -> RunPosition:
    """Tells how much of a run is done, by the limit that will end it first.

    Epochs and the batches of the present one are counted, not the steps so far: other
    images, devices or accumulated batches change how many steps an epoch has.

    Args:
        trainer: Fits a module.
        batches: Batches of the present epoch that are done.

    Raises:
        InputError: If nothing that is known ends the run.
    """
    # Asked first, because it loads the data; -1 where these have no length.
    if trainer.estimated_stepping_batches in (-1, math.inf):
        raise InputError(_unknown_length(trainer))
    limits: list[RunPosition] = []
    if trainer.max_steps != -1:
        limits.append(RunPosition(trainer.global_step, max(1, trainer.max_steps)))
    epochs, length = trainer.max_epochs, trainer.num_training_batches
    if epochs is not None and epochs != -1 and math.isfinite(length):
        every = trainer.accumulate_grad_batches
        steps = max(1, math.ceil(length / every))
        done = trainer.current_epoch * steps + math.ceil(batches / every)
        limits.append(RunPosition(done, max(1, epochs) * steps))
    return max(limits, key=lambda place: place.step / place.total)


def _unknown_length(trainer: Trainer) -> str:
    if trainer.max_epochs == -1:
        wanted = "set max_steps of the Trainer, or max_epochs"
    else:
        wanted = (
            "the data tell no number of batches, as an IterableDataset; set max_steps "
            "of the Trainer, or limit_train_batches beside max_epochs"
        )
    return f"learning rate and momentum follow the length of the run: {wanted}"
