"""A training step on given views, against BYOL made of Lightly's parts."""

from __future__ import annotations

import copy
from collections.abc import Callable, Collection, Sequence
from typing import Any

import torch
from lightly.loss import NegativeCosineSimilarity
from lightly.models.modules import BYOLPredictionHead, BYOLProjectionHead
from lightly.models.utils import deactivate_requires_grad, update_momentum
from torch import Tensor, nn

from benchmarks.speed.scale import Scale, middle
from benchmarks.speed.table import OTHER, Growth, Part, Table, Target, table_of_times
from benchmarks.speed.timing import Times, limited_threads, race, ratio
from lightly_contrawarp import ContraWarp
from lightly_contrawarp.models.backbones import build_backbone
from lightly_contrawarp.models.optimizer import adamw

SIZE = 112
BYOL = "BYOL of Lightly's parts, two views"
FACE = "ContraWarp, target only"
PAIRED = "ContraWarp by default, paired"


def settings(name: str, negatives: int) -> dict[str, Any]:
    """Arguments of the module.

    Args:
        name: ``FACE`` or ``PAIRED``.
        negatives: Warped faces of each image, K.
    """
    if name == PAIRED:
        return {"num_negatives": negatives}
    return {
        "num_negatives": negatives, "pairing": "unpaired", "contrast": "target",
        "negatives_from": "face", "positive_weight": 1.0, "action_weight": 0.0,
        **({} if negatives else {"negative_weight": 0.0}),
    }  # fmt: skip


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
        """The modules that the optimiser updates."""
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

    def loss(self, views: Sequence[Tensor]) -> Tensor:
        """Moves the target network and returns the loss."""
        self.update_target(1, 100)
        return self.terms(views)[1].loss


def measure(scale: Scale, device: str) -> Part:
    """Races all variants, each a forward and a backward pass and an update."""
    torch.manual_seed(0)
    part = Part()
    for batch in scale.step_batches:
        negatives = scale.negatives if batch == middle(scale.step_batches) else (1,)
        with limited_threads(1):
            times = race(
                contenders(scale.step_backbone, batch, negatives, device),
                seconds=scale.seconds, rounds=scale.rounds, device=device,
            )  # fmt: skip
        for k in negatives:
            part.tables.append(table_of(scale, batch, k, times, device))
            if k == 1:
                relative = ratio(times, f"{FACE}, K=1", BYOL).median
    part.targets.append(
        Target(f"{FACE} / {BYOL}: K=1, {batch} images", 1.25, False, relative)
    )
    part.notes.append(f"Without negatives, K=0, {FACE} is BYOL, and by default SimCLR.")
    return part


def contenders(
    backbone: str, batch: int, negatives: Collection[int], device: str
) -> dict[str, Callable[[], object]]:
    """A step of each variant, on views that are there already."""
    most = 2 * (1 + max(negatives))
    views = [torch.randn(batch, 3, SIZE, SIZE, device=device) for _ in range(most)]
    models: dict[str, tuple[LightlyByol | OurStep, list[Tensor]]] = {
        BYOL: (LightlyByol(backbone), views[:2])
    }
    for k in negatives:
        for name, count in ((FACE, 2 + k), (PAIRED, 2 * (1 + k))):
            ours = OurStep(backbone, input_size=SIZE, **settings(name, k))
            moved = [torch.randn(batch, k, len(ours.actions), device=device)]
            given = views[:count] + (moved if ours.actions else [])
            models[f"{name}, K={k}"] = ours, given
    calls: dict[str, Callable[[], object]] = {}
    for name, (model, given) in models.items():
        step = step_of(model, device)
        calls[name] = lambda step=step, given=given: step(given)  # type: ignore[misc]
    return calls


def table_of(scale: Scale, batch: int, k: int, times: Times, device: str) -> Table:
    """What of a race has so many negatives."""
    names = {name: f"{name}, K={k}" for name in (FACE, PAIRED)}
    some = {BYOL: times[BYOL], **{name: times[full] for name, full in names.items()}}
    how = "fp32" if device == "cpu" else "bfloat16"
    growth = []
    if batch == middle(scale.step_batches):
        growth.append(Growth(f"{batch} images", "negatives of an image, K", k))
    if k == 1:
        growth.append(Growth("K=1", "images a step", batch))
    return table_of_times(
        f"{scale.step_backbone} at {SIZE} px, {batch} images, K={k}, {how}",
        some, BYOL, unit="ms a step", roles={BYOL: OTHER}, growth=growth,
    )  # fmt: skip


def step_of(
    model: LightlyByol | OurStep, device: str
) -> Callable[[Sequence[Tensor]], None]:
    """A step of a model, channels last: fp32 on a CPU, bfloat16 on a GPU."""
    on_gpu = device == "cuda"
    model.to(device).train()
    model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimizer = adamw(model.trained(), lr=1e-4, weight_decay=1e-2)

    def step(views: Sequence[Tensor]) -> None:
        with torch.autocast(device, torch.bfloat16, enabled=on_gpu):
            loss = model.loss(views)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()

    return step
