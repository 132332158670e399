"""How each kind of variant turns a batch of images into a loss."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from benchmarks.quality.forms import HingeLoss, symmetric_loss
from benchmarks.quality.images import Images
from benchmarks.quality.variants import Variant
from lightly_contrawarp import (
    ContraWarp,
    ContraWarpTransform,
    ContraWarpViewTransform,
    LocalWarp,
)
from lightly_contrawarp.loss.cosines import unit
from lightly_contrawarp.models.target_network import TargetNetwork
from lightly_contrawarp.transforms.batch_transform import ContraWarpBatchTransform
from lightly_contrawarp.transforms.geometry.bumps import WarpParameters
from lightly_contrawarp.transforms.geometry.sampling_grid import (
    identity_affine,
    sample,
    sampling_grid,
)
from lightly_contrawarp.transforms.pixels import to_unit_range
from lightly_contrawarp.transforms.views import View, draw_views, show_views

_CLASSES = 7  # of FER2013, and of the drawn faces


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
            backbone,
            input_size=size,
            channels_last=True,
            **{"warp": "bumps", "action_weight": 0.0, **variant.module},
        )
        self.guided = variant.landmarks
        settings = self.model.settings
        view = [ContraWarpViewTransform(size, **variant.view) for _ in range(2)]
        self.views = ContraWarpBatchTransform(
            ContraWarpTransform(
                size,
                settings.num_negatives,
                settings.pairing,
                warp=LocalWarp(**variant.warp),
                view_1_transform=view[0],
                view_2_transform=view[1],
                **variant.transform,
            )
        )

    def trained(self) -> list[nn.Module]:
        """The modules that the optimiser updates."""
        return self.model.trained()

    def loss(
        self, batch: Images, progress: float, neighbours: Images | None = None
    ) -> Tensor:
        """The loss of a batch.

        Args:
            batch: Images; only supervised training looks at their labels.
            progress: Share of the run that is done.
            neighbours: Another frame of each, if the second views show one.
        """
        landmarks = batch.landmarks if self.guided else None
        if landmarks is not None and neighbours and neighbours.landmarks is not None:
            landmarks = torch.stack([landmarks, neighbours.landmarks], dim=1)
        other = neighbours.pixels if neighbours else None
        views = self.views(batch.pixels, landmarks, other)
        _, terms = self.model.terms(views)
        return terms.loss


class Supervised(Learner):
    """Cross-entropy of one view."""

    def __init__(self, variant: Variant, backbone: str, size: int) -> None:
        super().__init__(variant, backbone, size)
        self.head = nn.Linear(self.model.info.dim, _CLASSES)

    def trained(self) -> list[nn.Module]:
        return [self.model.backbone, self.head]

    def loss(
        self, batch: Images, progress: float, neighbours: Images | None = None
    ) -> Tensor:
        view = self.views(batch.pixels)[0].contiguous(memory_format=torch.channels_last)
        return F.cross_entropy(self.head(self.model(view)).float(), batch.labels)


class WarpAsPositive(Learner):
    """BYOL in which the warped view shall agree with the two others as well."""

    def loss(
        self, batch: Images, progress: float, neighbours: Images | None = None
    ) -> Tensor:
        p, z = map(unit, both_networks(self.model, self.views(batch.pixels)))
        pairs = [(a, b) for a in range(3) for b in range(3) if a != b]
        return -torch.stack([(p[a] * z[b]).sum(-1).mean() for a, b in pairs]).mean()


class Hinge(Learner):
    """A hinge instead of the cross-entropy."""

    def __init__(self, variant: Variant, backbone: str, size: int) -> None:
        super().__init__(variant, backbone, size)
        self.model.criterion = HingeLoss(self.model.settings)


class Symmetric(Learner):
    """Unpaired warps are negatives of predictions and, predicted, of targets."""

    def loss(
        self, batch: Images, progress: float, neighbours: Images | None = None
    ) -> Tensor:
        p, z = both_networks(self.model, self.views(batch.pixels))
        negatives = p[2:].transpose(0, 1), z[2:].transpose(0, 1)
        return symmetric_loss(
            self.model.criterion, (p[0], p[1]), (z[0], z[1]), negatives
        )


def both_networks(model: ContraWarp, views: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    """Predictions and target projections ``[V, B, D]`` of all views."""
    assert model.projection_head is not None
    assert model.prediction_head is not None
    assert model.target is not None
    images = torch.cat(list(views)).contiguous(memory_format=torch.channels_last)
    predictions = model.prediction_head(model.projection_head(model(images)))
    shape = (len(views), len(views[0]))
    return predictions.unflatten(0, shape), model.target(images).unflatten(0, shape)


class WarpedViews(Learner):
    """Each view shows a warp of its own: warping as an augmentation to ignore."""

    def __init__(self, variant: Variant, backbone: str, size: int) -> None:
        super().__init__(variant, backbone, size)
        self.views = ContraWarpBatchTransform(
            ContraWarpTransform(
                size, num_negatives=1, pairing="unpaired", warp=LocalWarp()
            )
        )

    def loss(
        self, batch: Images, progress: float, neighbours: Images | None = None
    ) -> Tensor:
        images = batch.pixels
        warps = [self.views.transform.warp.draw(len(images)) for _ in range(2)]
        first, _, second = self.views.views(images, warps)
        _, terms = self.model.terms([first, second])
        return terms.loss


class NegativesAlone(Learner):
    """The target network sees warped faces in a batch of their own."""

    def __init__(self, variant: Variant, backbone: str, size: int) -> None:
        super().__init__(variant, backbone, size)
        assert self.model.target is not None
        self.model.target = _Apart(self.model.target)


class _Apart(TargetNetwork):
    """Two views of each face in one batch, its warp in another."""

    def __init__(self, target: TargetNetwork) -> None:
        super().__init__(target.backbone, target.projection_head)

    def forward(self, images: Tensor) -> Tensor:
        batch = len(images) // 3
        apart = images[: 2 * batch], images[2 * batch :]
        return torch.cat([super(_Apart, self).forward(some) for some in apart])


class _ResampledTwice(ContraWarpBatchTransform):
    def views(
        self,
        images: Tensor,
        warps: Sequence[WarpParameters],
        neighbours: tuple[Tensor, Sequence[WarpParameters]] | None = None,
    ) -> list[Tensor]:
        settings, (still, *drawn) = self.transform, warps
        source = to_unit_range(images)
        faces = [source, *(warped(source, one) for one in drawn)]
        views = [
            View(view.settings, face, still)
            for view, face in zip(settings.transforms, settings.faces, strict=True)
        ]
        flips = settings.draw_flips(len(images))
        return show_views(faces, views, draw_views(faces, views, flips))


class WarpBefore(Learner):
    """Warped faces are resampled once more than unwarped ones, and so blurred."""

    def __init__(self, variant: Variant, backbone: str, size: int) -> None:
        super().__init__(variant, backbone, size)
        self.views = _ResampledTwice(self.views.transform)


class Curriculum(Learner):
    """Strength falls linearly from 1.5 to 0.5 of the default: harder with time."""

    def loss(
        self, batch: Images, progress: float, neighbours: Images | None = None
    ) -> Tensor:
        warp, default = self.views.transform.warp, LocalWarp()
        low, high = default.strength
        warp.strength = ((1.5 - progress) * low, (1.5 - progress) * high)
        return super().loss(batch, progress, neighbours)


class Mined(Learner):
    """Of four warps, the one whose projection is closest to the face itself."""

    def loss(
        self, batch: Images, progress: float, neighbours: Images | None = None
    ) -> Tensor:
        images, size = batch.pixels, len(batch.labels)
        assert self.model.projection_head is not None
        warp = self.views.transform.warp
        still, *moved = (warp.draw(size) for _ in range(5))
        still = still.stilled()
        with torch.no_grad():
            source = images.float() / 255
            looks = torch.cat([warped(source, one) for one in (still, *moved)])
            looks = 4 * (looks - 0.5).expand(-1, 3, -1, -1)  # about unit variance
            looks = looks.contiguous(memory_format=torch.channels_last)
            q = unit(self.model.projection_head(self.model(looks)))
            q = q.reshape(5, size, -1)
            hardest = (q[1:] * q[0]).sum(-1).argmax(0).cpu()
        rows = torch.arange(size)
        chosen = WarpParameters(
            *(torch.stack(each)[hardest, rows] for each in zip(*moved, strict=True))
        )
        _, terms = self.model.terms(self.views.views(images, [still, chosen]))
        return terms.loss


def warped(images: Tensor, warp: WarpParameters) -> Tensor:
    """Warps a float batch ``[B, C, H, W]`` without any other change."""
    placed = WarpParameters(*(x.to(images.device) for x in warp))
    affine = identity_affine(len(images), images)
    height, width = images.shape[-2:]
    return sample(images, sampling_grid(affine, (height, width), placed))


LEARNERS: dict[str, Callable[[Variant, str, int], Learner]] = {
    "contrawarp": Learner,
    "random": Learner,
    "supervised": Supervised,
    "warp_as_positive": WarpAsPositive,
    "warped_views": WarpedViews,
    "hinge": Hinge,
    "symmetric": Symmetric,
    "negatives_alone": NegativesAlone,
    "warp_before": WarpBefore,
    "curriculum": Curriculum,
    "mined": Mined,
}
