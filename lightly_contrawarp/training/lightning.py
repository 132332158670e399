"""Running a Lightning Trainer inside a command."""

from __future__ import annotations

import io
import logging
import sys
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from pytorch_lightning import Callback, LightningModule, Trainer
from pytorch_lightning.plugins.io import TorchCheckpointIO
from tqdm import tqdm

from contrawarp_edge.core.files import atomic_write
from lightly_contrawarp.models.run_position import run_position


def fit(
    trainer: Trainer,
    module: LightningModule,
    loader: Any,
    checkpoint: Path | None = None,
    *,
    held_out: Any = None,
) -> None:
    """Trains, and lets Ctrl-C be what it is.

    Args:
        trainer: How to train.
        module: What to train.
        loader: Its data.
        checkpoint: Where to go on from.
        held_out: Data to validate on after each epoch.

    Raises:
        KeyboardInterrupt: If the user interrupts; Lightning would exit with code 1.
        InputError: If training diverges.
    """
    try:
        trainer.fit(module, loader, held_out, ckpt_path=checkpoint)
    except SystemExit:
        if trainer.interrupted:
            raise KeyboardInterrupt from None
        raise


@contextmanager
def quiet_lightning() -> Iterator[None]:
    """Drops Lightning's advice, which is about code that a command's user lacks.

    Other warnings are shown in a line, above the bar.
    """

    def show(message: Warning | str, *_: Any) -> None:
        tqdm.write(f"Warning: {message}", file=sys.stderr)

    packages = ("pytorch_lightning", "lightning_fabric")
    for package in packages:
        logging.getLogger(package).setLevel(logging.ERROR)
    with warnings.catch_warnings():
        for package in packages:
            warnings.filterwarnings("ignore", module=rf"{package}\..*")
        warnings.showwarning = show  # type: ignore[assignment]
        yield


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
            name: f"{float(trainer.logged_metrics[key]):.3f}"
            for name in ("loss", "top1", "action")
            for key in (f"train/{name}", f"train_{name}")  # ours and Lightly's
            if key in trainer.logged_metrics
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


class AtomicCheckpointIO(TorchCheckpointIO):
    """Writes beside the target and renames.

    Lightning writes to the system's folder for temporary files and moves the result,
    which is a copy, and can be cut short, where that is another file system.
    """

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None
    ) -> None:
        """Replaces a checkpoint in one step.

        Args:
            checkpoint: What to save.
            path: The file.
            storage_options: Not used.

        Raises:
            InputError: If it cannot be written. An earlier file is left as it was.
        """
        path = Path(path)
        # In memory first, since torch.save hides the reason of a failed write.
        content = io.BytesIO()
        torch.save(checkpoint, content)
        path.parent.mkdir(parents=True, exist_ok=True)
        atomic_write(path, content.getbuffer())
