"""A training step on given views, against BYOL made of Lightly's parts."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any

import torch
from lightly.loss import NegativeCosineSimilarity
from lightly.models.modules import BYOLPredictionHead, BYOLProjectionHead
from lightly.models.utils import deactivate_requires_grad, update_momentum
from torch import Tensor, nn

from benchmarks.speed.scale import Scale
from benchmarks.speed.table import Part, Target, table_of_times
from benchmarks.speed.timing import limited_threads, race, ratio
from lightly_contrawarp import ContraWarp
from lightly_contrawarp.backbones import build_backbone
from lightly_contrawarp.optimization import adamw_with_cosine

SIZE = 112
BYOL = "BYOL of Lightly's parts, two views"
_TARGET = "ContraWarp, target only"
_FACE: dict[str, Any] = {
    "paired": False, "contrast": "target", "negatives_from": "face",
    "positive_weight": 1.0,
}  # fmt: skip
VARIANTS: dict[str, dict[str, Any]] = {
    "ContraWarp as BYOL, K=0": {**_FACE, "num_negatives": 0, "negative_weight": 0.0},
    f"{_TARGET}, K=1": {**_FACE, "num_negatives": 1},
    f"{_TARGET}, K=4": {**_FACE, "num_negatives": 4},
    "ContraWarp, SimCLR, K=0": {"num_negatives": 0},
    "ContraWarp by default, K=1 paired": {"num_negatives": 1},
    "ContraWarp by default, K=4 paired": {"num_negatives": 4},
}
"""Settings of the module, by name."""


class LightlyByol(nn.Module):
    """BYOL as in Lightly's examples."""

    def __init__(self, backbone: str) -> None:
        super().__init__()
        self.backbone, dim = build_backbone(backbone)
        self.projection_head = BYOLProjectionHead(dim, 1024, 256)
        self.prediction_head = BYOLPredictionHead(256, 1024, 256)
        self.backbone_momentum = copy.deepcopy(self.backbone)
        self.projection_head_momentum = copy.deepcopy(self.projection_head)
        deactivate_requires_grad(self.backbone_momentum)
        deactivate_requires_grad(self.projection_head_momentum)
        self.criterion = NegativeCosineSimilarity()

    def trained(self) -> list[nn.Module]:
        """The parts that the optimiser updates."""
        return [self.backbone, self.projection_head, self.prediction_head]

    def loss(self, views: Sequence[Tensor]) -> Tensor:
        """Moves the momentum network and returns the loss of two views."""
        update_momentum(self.backbone, self.backbone_momentum, 0.99)
        update_momentum(self.projection_head, self.projection_head_momentum, 0.99)
        p, z = [], []
        for view in views:
            features = self.backbone(view).flatten(1)
            p.append(self.prediction_head(self.projection_head(features)))
            with torch.no_grad():
                momentum = self.backbone_momentum(view).flatten(1)
                z.append(self.projection_head_momentum(momentum))
        loss: Tensor = self.criterion(p[0], z[1]) + self.criterion(p[1], z[0])
        return loss / 2


class OurStep(ContraWarp):
    """The module, with a loss of given views."""

    def trained(self) -> list[nn.Module]:
        """The parts that the optimiser updates."""
        parts = [self.backbone, self.projection_head, self.prediction_head]
        return [part for part in parts if part is not None]

    def loss(self, views: Sequence[Tensor]) -> Tensor:
        """Moves the target network and returns the loss."""
        self.update_target(1, 100)
        return self.compare(views)[1].loss


def measure(scale: Scale, device: str) -> Part:
    """Races all variants, each a forward and a backward pass and an update."""
    torch.manual_seed(0)
    part = Part()
    with limited_threads(1):
        times = race(
            contenders(scale.step_backbone, scale.step_batch, device),
            seconds=scale.seconds, rounds=scale.rounds, device=device,
        )  # fmt: skip
    how = "fp32" if device == "cpu" else "bfloat16, channels-last"
    part.tables.append(
        table_of_times(
            f"{scale.step_backbone} at {SIZE} px, {scale.step_batch} images, {how}",
            times, BYOL, unit="ms a step",
        )
    )  # fmt: skip
    name = f"{_TARGET}, K=1"
    relative = ratio(times, name, BYOL).median
    part.targets.append(Target(f"{name} / {BYOL}", 1.25, False, relative))
    return part


def contenders(
    backbone: str, batch: int, device: str
) -> dict[str, Callable[[], object]]:
    """A step of each variant, on views that are there already."""
    views = [torch.randn(batch, 3, SIZE, SIZE, device=device) for _ in range(10)]
    models: dict[str, tuple[LightlyByol | OurStep, int]] = {
        BYOL: (LightlyByol(backbone), 2)
    }
    for name, settings in VARIANTS.items():
        faces, paired = 1 + settings["num_negatives"], settings.get("paired", True)
        ours = OurStep(
            backbone, input_size=SIZE, channels_last=device == "cuda", **settings
        )
        models[name] = (ours, 2 * faces if paired else faces + 1)
    calls: dict[str, Callable[[], object]] = {}
    for name, (model, count) in models.items():
        step = step_of(model, device)
        calls[name] = lambda step=step, count=count: step(views[:count])  # type: ignore[misc]
    return calls


def step_of(
    model: LightlyByol | OurStep, device: str
) -> Callable[[Sequence[Tensor]], None]:
    """A step of a model: fp32 on a CPU; bfloat16 and channels-last on a GPU."""
    on_gpu = device == "cuda"
    model.to(device).train()
    if on_gpu:
        model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimizer = adamw_with_cosine(
        model.trained(), lr=1e-4, weight_decay=1e-2, warmup_fraction=0.0,
        total_steps=10**6,
    )["optimizer"]  # fmt: skip

    def step(views: Sequence[Tensor]) -> None:
        with torch.autocast(device, torch.bfloat16, enabled=on_gpu):
            loss = model.loss(views)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()

    return step
