"""One run: trains a variant with one seed, and goes on where it was stopped."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.optim.lr_scheduler import LambdaLR

from benchmarks.quality.images import Images
from benchmarks.quality.learners import LEARNERS
from benchmarks.quality.scales import Scale
from benchmarks.quality.variants import Variant
from lightly_contrawarp.data.frames import Neighbours
from lightly_contrawarp.models.health import check_finite
from lightly_contrawarp.models.optimizer import adamw, rate_factor
from lightly_contrawarp.training.lightning import AtomicCheckpointIO

_SAVE_EVERY = 60.0  # seconds


class Run:
    """The state of a run: learner, optimiser, schedule, step, time and curve.

    Attributes:
        backbone: What is trained.
        curve: Pairs of epoch and accuracy, measured on the way.
        seconds: Processor time, or on a GPU wall-clock time, spent on training.
    """

    def __init__(
        self,
        variant: Variant,
        scale: Scale,
        seed: int,
        epochs: float,
        images: int,
        near: Neighbours | None = None,
    ) -> None:
        torch.manual_seed(seed)
        self.scale, self.seed = scale, seed
        self.epoch_steps = max(1, images // scale.batch_size)
        self.steps = max(1, round(epochs * variant.longer * self.epoch_steps))
        if variant.learner == "random":
            self.steps = 0
        self.learner = LEARNERS[variant.learner](
            variant, scale.backbone, scale.input_size
        )
        self.device = "cuda" if torch.cuda.is_available() else "cpu"
        self.learner.to(self.device).train()
        settings = self.learner.model.settings
        self.optimizer = adamw(
            self.learner.trained(), lr=scale.lr, weight_decay=settings.weight_decay
        )
        warmup = settings.warmup_fraction
        self.schedule = LambdaLR(
            self.optimizer, lambda step: rate_factor(step, self.steps, warmup)
        )
        self.near = near
        self.step, self.seconds = 0, 0.0
        self.curve: list[tuple[float, float]] = []

    @property
    def backbone(self) -> nn.Module:
        """The encoder."""
        return self.learner.model.backbone

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
            measure: Accuracy of a backbone, for the curve.
        """
        if state.exists():
            self._restore(state)
        every = max(1, self.steps // self.scale.points)
        saved, start = time.monotonic(), self._clock()
        while self.step < self.steps:
            self._take_step(images)
            self.step += 1
            at_point = self.step % every == 0
            if at_point or time.monotonic() - saved > _SAVE_EVERY:
                self.seconds += self._clock() - start
                if at_point:
                    accuracy = measure(self.backbone)
                    self.learner.train()
                    self.curve.append((self.step / self.epoch_steps, accuracy))
                self._save(state)
                saved, start = time.monotonic(), self._clock()
        self.seconds += self._clock() - start

    def _take_step(self, images: Images) -> None:
        chosen = self._batch(len(images.labels))
        batch = images.select(chosen)
        other = images.select(self.near.draw(chosen)) if self.near else None
        self.learner.model.update_target(self.step, self.steps)
        with torch.autocast(self.device, torch.bfloat16):
            loss = self.learner.loss(batch, self.step / self.steps, other)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        self.optimizer.step()
        self.schedule.step()

    def _batch(self, count: int) -> Tensor:
        """Positions of the step's images: each once an epoch, in random order."""
        epoch, place = divmod(self.step, self.epoch_steps)
        order = torch.randperm(count, generator=self._generator(epoch))
        size = min(self.scale.batch_size, count)
        return order[place * size : (place + 1) * size]

    def _generator(self, epoch: int) -> torch.Generator:
        return torch.Generator().manual_seed(10_000 * self.seed + epoch)

    def _clock(self) -> float:
        if self.device == "cuda":
            torch.cuda.synchronize()
            return time.monotonic()
        return time.process_time()  # whatever else the machine is doing

    def _save(self, state: Path) -> None:
        learner = self.learner.state_dict()
        check_finite(learner, self.step)
        content = {
            "learner": learner,
            "optimizer": self.optimizer.state_dict(),
            "schedule": self.schedule.state_dict(),
            "step": self.step,
            "seconds": self.seconds,
            "curve": self.curve,
            "random": torch.get_rng_state(),
        }
        AtomicCheckpointIO().save_checkpoint(content, state)

    def _restore(self, state: Path) -> None:
        content = torch.load(state, map_location=self.device, weights_only=True)
        self.learner.load_state_dict(content["learner"])
        self.optimizer.load_state_dict(content["optimizer"])
        self.schedule.load_state_dict(content["schedule"])
        self.step, self.seconds = content["step"], content["seconds"]
        self.curve = [tuple(point) for point in content["curve"]]
        torch.set_rng_state(content["random"].cpu())
