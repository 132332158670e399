"""Rate and momentum follow the share of a run that is done, whatever limits it."""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from pytorch_lightning import Callback
from torch import Tensor
from torch.utils.data import DataLoader, IterableDataset

from contrawarp_edge.core.errors import InputError
from helpers_training import BYOL, batched, loader, tiny, trainer
from lightly_contrawarp.models.target_network import TargetNetwork

LR = 3e-3


class Stream(IterableDataset[Tensor]):
    """Faces without a length."""

    def __init__(self, faces: Tensor) -> None:
        self.faces = faces

    def __iter__(self) -> Iterator[Tensor]:
        return iter(self.faces)


class Rates(Callback):
    """The rate of each step."""

    def __init__(self) -> None:
        self.seen: list[float] = []

    def on_before_optimizer_step(self, trainer: Any, module: Any, optimizer: Any):
        self.seen.append(optimizer.param_groups[0]["lr"])


@pytest.fixture
def momenta(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Those with which the target network moves."""
    seen: list[float] = []
    follow = TargetNetwork.follow

    def spy(self: TargetNetwork, backbone: Any, head: Any, momentum: float) -> None:
        seen.append(momentum)
        follow(self, backbone, head, momentum)

    monkeypatch.setattr(TargetNetwork, "follow", spy)
    return seen


def cosine(shares: list[float]) -> list[float]:
    return [(1 + math.cos(math.pi * share)) / 2 for share in shares]


def fit(model: Any, data: Any, path: Path | None = None, **settings: Any) -> Rates:
    rates = Rates()
    run = trainer(callbacks=[rates], **settings)
    run.fit(model, data, ckpt_path=path)
    return rates


@pytest.mark.parametrize("epochs", [-1, 9])
def test_a_stream_follows_max_steps(
    epochs: int, faces: Tensor, momenta: list[float]
) -> None:
    model = tiny(batch_transform=batched(), warmup_fraction=0.0, **BYOL)
    before = model.backbone[0].weight.detach().clone()
    stream = DataLoader(Stream(faces), batch_size=8)
    rates = fit(model, stream, max_epochs=epochs, max_steps=6)
    falling = cosine([step / 6 for step in range(6)])
    assert rates.seen == pytest.approx([LR * part for part in falling])
    assert momenta == pytest.approx([1 - 0.01 * part for part in falling])
    assert not torch.equal(model.backbone[0].weight, before)


def test_the_limit_that_comes_first_decides(faces: Tensor) -> None:
    model = tiny(batch_transform=batched(), warmup_fraction=0.0)
    rates = fit(model, loader(faces), max_epochs=9, max_steps=4)
    assert rates.seen == pytest.approx([LR * x for x in cosine([0, 0.25, 0.5, 0.75])])
    model = tiny(batch_transform=batched(), warmup_fraction=0.0)
    rates = fit(model, loader(faces), max_epochs=1, max_steps=99)
    assert rates.seen == pytest.approx([LR * x for x in cosine([0, 1 / 3, 2 / 3])])


@pytest.mark.parametrize("settings", [{}, BYOL])
@pytest.mark.parametrize(
    ("endless", "limits", "message"),
    [
        (True, {"max_epochs": 2}, "IterableDataset; set max_steps of the Trainer"),
        (True, {"max_epochs": -1}, "set max_steps of the Trainer, or max_epochs"),
        (False, {"max_epochs": -1}, "set max_steps of the Trainer, or max_epochs"),
        (False, {"max_time": "00:01:00:00"}, "set max_steps of the Trainer, or"),
    ],
)
def test_a_run_of_unknown_length_is_refused_before_its_first_step(
    endless: bool,
    limits: dict[str, Any],
    message: str,
    settings: dict[str, Any],
    faces: Tensor,
) -> None:
    data = DataLoader(Stream(faces), batch_size=8) if endless else loader(faces)
    model = tiny(batch_transform=batched(), **settings)
    run = trainer(**{"max_epochs": None, **limits})
    with pytest.raises(InputError, match=message) as error:
        run.fit(model, data)
    assert "\n" not in str(error.value)
    assert run.global_step == 0


def test_a_limited_number_of_batches_is_a_length(faces: Tensor) -> None:
    model = tiny(batch_transform=batched(), warmup_fraction=0.0)
    stream = DataLoader(Stream(faces), batch_size=8)
    rates = fit(model, stream, max_epochs=2, limit_train_batches=2)
    assert rates.seen == pytest.approx([LR * x for x in cosine([0, 0.25, 0.5, 0.75])])


@pytest.fixture(scope="module")
def half_way(faces: Tensor, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """After two of four epochs of six steps."""
    path = tmp_path_factory.mktemp("run") / "half.ckpt"

    class Stop(Callback):
        def on_train_epoch_end(self, trainer: Any, module: Any) -> None:
            trainer.save_checkpoint(path)
            trainer.should_stop = trainer.current_epoch == 1

    model = tiny(batch_transform=batched(), warmup_fraction=0.0, **BYOL)
    trainer(max_epochs=4, callbacks=[Stop()]).fit(model, loader(faces, 4))
    return path


@pytest.mark.parametrize(
    ("batch", "every", "steps"), [(8, 1, 3), (4, 3, 2), (24, 1, 1), (3, 1, 8)]
)
def test_a_resumed_run_goes_on_at_its_share(
    batch: int, every: int, steps: int, faces: Tensor, half_way: Path, momenta: Any
) -> None:
    """With other images, devices or accumulation, epochs have other steps."""
    rates = fit(
        tiny(batch_transform=batched(), warmup_fraction=0.0, **BYOL),
        loader(faces, batch), half_way, max_epochs=4, accumulate_grad_batches=every,
    )  # fmt: skip
    falling = cosine([0.5 + step / (4 * steps) for step in range(2 * steps)])
    assert rates.seen == pytest.approx([LR * part for part in falling])
    assert momenta == pytest.approx([1 - 0.01 * part for part in falling])


def test_a_longer_resumed_run_follows_the_longer_schedule(
    faces: Tensor, half_way: Path
) -> None:
    model = tiny(batch_transform=batched(), warmup_fraction=0.0, **BYOL)
    rates = fit(model, loader(faces), half_way, max_epochs=8)
    falling = cosine([0.25 + step / 24 for step in range(18)])
    # What the checkpoint holds is taken for one step.
    assert rates.seen[1:] == pytest.approx([LR * part for part in falling[1:]])


def test_the_target_moves_once_a_step(faces: Tensor, momenta: list[float]) -> None:
    model = tiny(batch_transform=batched(), **BYOL)
    # 6 batches, of which 4 and then 2 make a step, twice
    fit(model, loader(faces, 4), max_epochs=2, accumulate_grad_batches=4)
    falling = cosine([0, 0.25, 0.5, 0.75])
    assert momenta == pytest.approx([1 - 0.01 * part for part in falling])


@pytest.mark.parametrize("clip", [None, 1.0])
@pytest.mark.parametrize(
    "precision", ["32-true", "bf16-mixed", "16-mixed", "bf16-true", "64-true"]
)
def test_gradients_can_be_clipped(
    precision: str, clip: float | None, faces: Tensor
) -> None:
    model = tiny(batch_transform=batched(), **BYOL)
    before = model.backbone[0].weight.detach().double()
    fit(model, loader(faces), precision=precision, gradient_clip_val=clip, max_steps=1)
    after = model.backbone[0].weight.detach().double()
    assert after.isfinite().all()
    assert not torch.equal(after, before)
