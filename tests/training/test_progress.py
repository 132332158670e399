"""The bar reads what the GPU computed only as often as it is drawn."""

from types import SimpleNamespace
from typing import Any

import pytest
import torch

from lightly_contrawarp.training.lightning import ProgressWithEta


class Scalar(torch.Tensor):
    reads = 0

    def __float__(self) -> float:
        Scalar.reads += 1
        return super().__float__()


@pytest.mark.parametrize("name", ["train/loss", "train_loss"])
def test_a_loss_is_read_when_the_bar_is_drawn(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whatever Lightly or this package calls it."""
    Scalar.reads = 0
    loss = torch.tensor(0.25).as_subclass(Scalar)
    trainer: Any = SimpleNamespace(
        is_global_zero=True, estimated_stepping_batches=100, global_step=0,
        current_epoch=0, max_epochs=1, max_steps=-1, num_training_batches=100,
        accumulate_grad_batches=1, logged_metrics={name: loss},
    )  # fmt: skip
    module: Any = None
    now = 100.0
    monkeypatch.setattr("time.monotonic", lambda: now)
    bar = ProgressWithEta()
    for step in range(100):
        bar.on_train_batch_start(trainer, module, None, step)
        now += 1.0  # drawn every 15 seconds where there is no terminal
        bar.on_train_batch_end(trainer, module, None, None, step)
    bar.on_train_end(trainer, module)
    assert 6 <= Scalar.reads <= 8
    shown = capsys.readouterr().err
    assert "epoch 1/1: 100%" in shown
    assert "loss=0.250" in shown
