"""One run: trains a variant with one seed, and goes on where it was stopped."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor, nn

from benchmarks.facts import has_bfloat16
from benchmarks.quality.images import Images
from benchmarks.quality.learners import make_learner
from benchmarks.quality.plan import Scale
from benchmarks.quality.variants import Variant
from lightly_contrawarp.models.health import check_finite
from lightly_contrawarp.models.optimizer import adamw, rate_factor
from lightly_contrawarp.training.lightning import AtomicCheckpointIO

_SAVE_EVERY = 60.0  # seconds


class Point(NamedTuple):
    """What was measured on the way.

    Attributes:
        seconds: Training time until then.
        epoch: Passes over the images until then.
        accuracy: Of a quick probe.
    """

    seconds: float
    epoch: float
    accuracy: float


class Run:
    """The state of a run: learner, optimiser, step, time and curve.

    It ends after a number of epochs or, if a time is given, when that is used up. The
    learning rate and the momentum of the target network follow the share of the run
    that is done, so that every run ends its schedule.

    Attributes:
        device: Where it trains.
        curve: What was measured on the way.
        seconds: Processor time, or on a GPU wall-clock time, spent on training.
    """

    def __init__(
        self,
        variant: Variant,
        scale: Scale,
        seed: int,
        images: Images,
        *,
        epochs: float,
        minutes: float | None = None,
    ) -> None:
        torch.manual_seed(seed)
        self.scale, self.seed = scale, seed
        self.count = len(images.labels)
        self.epoch_steps = max(1, self.count // scale.batch_size)
        self.steps = max(1, round(epochs * self.epoch_steps))
        self.share = None if minutes is None else 60 * minutes
        self.trained = variant.trained
        self.device = "cuda" if torch.cuda.is_available() else "cpu"
        self.learner = make_learner(
            variant, scale.backbone, scale.input_size, len(images.classes)
        )
        self.learner.to(self.device).train()
        self.settings = self.learner.model.settings
        self.optimizer = adamw(
            self.learner.trained(),
            lr=scale.lr,
            weight_decay=self.settings.weight_decay,
        )
        self.step, self.seconds = 0, 0.0
        self.curve: list[Point] = []

    @property
    def backbone(self) -> nn.Module:
        """The encoder."""
        return self.learner.model.backbone

    @property
    def epochs(self) -> float:
        """Passes over the images so far."""
        return self.step / self.epoch_steps

    def train(
        self,
        images: Images,
        state: Path,
        measure: Callable[[nn.Module], float],
    ) -> None:
        """Trains to the end.

        Args:
            images: On the run's device.
            state: Where to keep what is needed to go on.
            measure: Accuracy of a backbone, for the curve; its time does not count.
        """
        if not self.trained:
            return
        if state.exists():
            self._restore(state)
        saved, before, start = time.monotonic(), self.seconds, self._clock()
        done, total = self._place()
        while done < total:
            self._take_step(images, done, total)
            self.step += 1
            self.seconds = before + self._clock() - start
            done, total = self._place()
            at_point = min(done, total) * self.scale.points // total > len(self.curve)
            if at_point or time.monotonic() - saved > _SAVE_EVERY:
                if at_point:
                    self._wait()
                    self.seconds = before + self._clock() - start
                    check_finite(self.learner.state_dict(), self.step)
                    accuracy = measure(self.backbone)
                    self.learner.train()
                    self.curve.append(Point(self.seconds, self.epochs, accuracy))
                self._save(state)
                saved, before, start = time.monotonic(), self.seconds, self._clock()

    def _place(self) -> tuple[int, int]:
        """How much of the run is done, and all of it: steps, or milliseconds."""
        if self.share is None:
            return self.step, self.steps
        return int(1000 * self.seconds), int(1000 * self.share)

    def _take_step(self, images: Images, done: int, total: int) -> None:
        batch = images.select(self._batch())
        self.learner.model.update_target(done, total)
        rate = self.scale.lr * rate_factor(done, total, self.settings.warmup_fraction)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        with autocast(self.device):
            loss = self.learner.loss(batch)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        self.optimizer.step()

    def _batch(self) -> Tensor:
        """Positions of the step's images: each once an epoch, in random order."""
        epoch, place = divmod(self.step, self.epoch_steps)
        generator = torch.Generator().manual_seed(10_000 * self.seed + epoch)
        order = torch.randperm(self.count, generator=generator)
        size = min(self.scale.batch_size, self.count)
        return order[place * size : (place + 1) * size]

    def _clock(self) -> float:
        # Whatever else the machine is doing; a GPU is not waited for in every step,
        # which would slow it down: it is never more than a few steps behind.
        return time.monotonic() if self.device == "cuda" else time.process_time()

    def _wait(self) -> None:
        if self.device == "cuda":
            torch.cuda.synchronize()

    def _save(self, state: Path) -> None:
        learner = self.learner.state_dict()
        check_finite(learner, self.step)
        content = {
            "learner": learner,
            "optimizer": self.optimizer.state_dict(),
            "step": self.step,
            "seconds": self.seconds,
            "curve": [tuple(point) for point in self.curve],
            "random": torch.get_rng_state(),
        }
        AtomicCheckpointIO().save_checkpoint(content, state)

    def _restore(self, state: Path) -> None:
        content = torch.load(state, map_location=self.device, weights_only=True)
        self.learner.load_state_dict(content["learner"])
        self.optimizer.load_state_dict(content["optimizer"])
        self.step, self.seconds = content["step"], content["seconds"]
        self.curve = [Point(*point) for point in content["curve"]]
        torch.set_rng_state(content["random"].cpu())


def precision(device: str) -> str:
    """The precision of matrix products on a device, in words."""
    fast = device == "cuda" or has_bfloat16()
    return "bfloat16" if fast else "float32"


def autocast(device: str) -> AbstractContextManager[object]:
    """Computes in bfloat16 where the device has instructions for it."""
    if precision(device) == "bfloat16":
        return torch.autocast(device, torch.bfloat16)
    return nullcontext()
