"""Running a Lightning Trainer inside a command."""

from __future__ import annotations

import logging
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pytorch_lightning import LightningModule, Trainer
from tqdm import tqdm

from lightly_contrawarp.resources import explained_resources


def fit(
    trainer: Trainer,
    module: LightningModule,
    loader: Any,
    checkpoint: Path | None = None,
) -> None:
    """Trains, and lets Ctrl-C be what it is.

    Args:
        trainer: How to train.
        module: What to train.
        loader: Its data.
        checkpoint: Where to go on from.

    Raises:
        KeyboardInterrupt: If the user interrupts; Lightning would exit with code 1.
        InputError: If memory does not suffice, or training diverges.
    """
    try:
        with explained_resources():
            trainer.fit(module, loader, ckpt_path=checkpoint)
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
