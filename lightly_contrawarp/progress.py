"""Progress of a training run on the terminal."""

from __future__ import annotations

import sys
import time
from typing import Any

from pytorch_lightning import Callback, LightningModule, Trainer
from tqdm import tqdm

from lightly_contrawarp.position import run_position


class ProgressWithEta(Callback):
    """One bar over all epochs on standard error, with rate, losses and time left."""

    def __init__(self) -> None:
        self._bar: tqdm[Any] | None = None
        self._described = 0.0

    def on_train_batch_start(
        self, trainer: Trainer, module: LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Starts the bar where the run starts."""
        if self._bar is None and trainer.is_global_zero:
            place = run_position(trainer, batch_idx)
            self._bar = tqdm(
                total=place.total,
                initial=place.step,
                unit="step",
                dynamic_ncols=True,
                mininterval=0.5 if sys.stderr.isatty() else 15,
            )

    def on_train_batch_end(
        self,
        trainer: Trainer,
        module: LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
    ) -> None:
        """Moves the bar."""
        if self._bar is None:
            return
        # Reading a loss waits for the GPU, so that is not done at every step.
        if time.monotonic() - self._described > self._bar.mininterval:
            self._described = time.monotonic()
            self._describe(trainer)
        self._bar.update(run_position(trainer, batch_idx + 1).step - self._bar.n)

    def _describe(self, trainer: Trainer) -> None:
        assert self._bar is not None
        self._bar.set_description(
            f"epoch {trainer.current_epoch + 1}/{trainer.max_epochs}", refresh=False
        )
        logged = {
            name: f"{float(trainer.logged_metrics[f'train/{key}']):.3f}"
            for name, key in (("loss", "loss"), ("top1", "top1"))
            if f"train/{key}" in trainer.logged_metrics
        }
        self._bar.set_postfix(logged, refresh=False)

    def on_train_end(self, trainer: Trainer, module: LightningModule) -> None:
        """Closes the bar."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None

    def on_exception(
        self, trainer: Trainer, module: LightningModule, exception: BaseException
    ) -> None:
        """Closes the bar, so that what is said next has a line of its own."""
        self.on_train_end(trainer, module)
