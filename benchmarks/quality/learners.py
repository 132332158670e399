"""How each kind of variant turns a batch of images into a loss."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from benchmarks.quality.images import Images
from benchmarks.quality.variants import Variant
from lightly_contrawarp import ContraWarp
from lightly_contrawarp.transforms.batch_transform import ContraWarpBatchTransform


class Learner(nn.Module):
    """ContraWarp with the settings of a variant; BYOL and SimCLR are such settings.

    Attributes:
        model: Backbone, heads and target network.
        views: Makes the views of a batch.
        guided: Whether warps sit on each image's own landmarks.
    """

    def __init__(self, variant: Variant, backbone: str, size: int) -> None:
        super().__init__()
        self.model = ContraWarp(
            input_size=size,
            **{"backbone": backbone, **variant.module},
        )
        self.guided = variant.landmarks
        self.views = ContraWarpBatchTransform(variant.transform(self.model.settings))

    def trained(self) -> list[nn.Module]:
        """The modules that the optimiser updates."""
        return self.model.trained()

    def loss(self, batch: Images) -> Tensor:
        """The loss of a batch; only supervised training looks at its labels."""
        views = self.views(batch.pixels, batch.landmarks if self.guided else None)
        _, terms = self.model.terms(views)
        return terms.loss


class Supervised(Learner):
    """Cross-entropy of both views of each face."""

    def __init__(
        self, variant: Variant, backbone: str, size: int, classes: int
    ) -> None:
        super().__init__(variant, backbone, size)
        self.head = nn.Linear(self.model.info.dim, classes)

    def trained(self) -> list[nn.Module]:
        return [self.model.backbone, self.head]

    def loss(self, batch: Images) -> Tensor:
        views = self.views(batch.pixels)
        images = torch.cat(views).contiguous(memory_format=torch.channels_last)
        answers = self.head(self.model(images)).float()
        return F.cross_entropy(answers, batch.labels.repeat(len(views)))


def make_learner(variant: Variant, backbone: str, size: int, classes: int) -> Learner:
    """The learner of a variant, whose encoder has that name if it names none."""
    if variant.supervised:
        return Supervised(variant, backbone, size, classes)
    return Learner(variant, backbone, size)
