"""``ContraWarp``: the method as a LightningModule, made of Lightly's parts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
from lightly.models.modules import BYOLPredictionHead, BYOLProjectionHead
from lightly.utils.debug import std_of_l2_normalized
from pytorch_lightning import Callback, LightningModule
from torch import Tensor, nn

from lightly_contrawarp.loss.contrawarp_loss import (
    Contrast,
    ContraWarpLoss,
    LossTerms,
    NegativeForm,
    NegativesFrom,
)
from lightly_contrawarp.loss.pairing import loss_of_views, number_of_views
from lightly_contrawarp.models.backbones import build_backbone
from lightly_contrawarp.models.checkpoint import (
    CHECKPOINT_KEY,
    BackboneInfo,
    check_encoder,
    load_backbone,
)
from lightly_contrawarp.models.health import LOSS, SPREAD, TrainingWatch, check_finite
from lightly_contrawarp.models.hyperparameters import check_hyperparameters
from lightly_contrawarp.models.optimizer import (
    adamw,
    can_fuse,
    follow_run,
    target_momentum,
)
from lightly_contrawarp.models.run_position import run_position
from lightly_contrawarp.models.target_network import TargetNetwork
from lightly_contrawarp.transforms.batch_items import keep_landmarks, views_of

__all__ = ["ContraWarp", "load_backbone"]


class ContraWarp(LightningModule):
    """Trains an encoder of facial expression from the views of ContraWarpTransform.

    A batch is the list of views, or a tuple or list whose first item is that list, as
    ``LightlyDataset`` and ``MultiViewCollate`` make it. With a ``batch_transform`` it
    is a tensor of images, or a tuple or list whose first item is one; of a ``FaceItem``
    or ``FramePair``, landmarks and neighbours go to the transform too. ``paired``,
    ``num_negatives`` and ``input_size`` have to be those of the transform.

    Positives and warped faces share one forward pass through each network: a batch of
    warped faces alone would have batch-norm statistics of its own, and be told apart
    by them.

    Attributes:
        backbone: The encoder to keep.
        criterion: The loss.
        info: The facts that checkpoints carry.
    """

    def __init__(
        self,
        backbone: str | nn.Module = "resnet18",
        backbone_dim: int | None = None,
        batch_transform: nn.Module | None = None,
        input_size: int = 112,
        num_negatives: int = 1,
        paired: bool = True,
        contrast: str = Contrast.ONLINE.value,
        form: str = NegativeForm.INFO_NCE.value,
        negatives_from: str = NegativesFrom.BATCH.value,
        positive_weight: float = 0.0,
        negative_weight: float = 1.0,
        temperature: float = 0.1,
        margin: float = 0.2,
        projection_hidden_dim: int = 1024,
        projection_dim: int = 256,
        lr: float = 3e-3,
        weight_decay: float = 1e-2,
        warmup_fraction: float = 0.05,
        momentum: float = 0.99,
        channels_last: bool = False,
        commercial_use: str = "unknown",
        training_images: str = "unknown",
    ) -> None:
        """Initializes online and target networks.

        Args:
            backbone: Torchvision name, or a module ``[N, 3, H, W] -> [N, D]``.
            backbone_dim: ``D`` of a module; names know theirs.
            batch_transform: Makes the views of a batch of images on its device, such as
                a ``ContraWarpBatchTransform``; without one, the data loader does.
            input_size: Height and width of the views in pixels.
            num_negatives: Number of warped faces an image.
            paired: Whether each warped face comes in two views.
            contrast: What the contrast compares, see ``Contrast``.
            form: Form of the negative term, see ``NegativeForm``.
            negatives_from: Whose views are negatives, see ``NegativesFrom``.
            positive_weight: Weight of BYOL's term.
            negative_weight: Weight of the negative term.
            temperature: Temperature of ``info_nce``.
            margin: Margin of ``hinge``.
            projection_hidden_dim: Hidden width of the projection and prediction heads.
            projection_dim: Output width of both heads.
            lr: Peak learning rate of AdamW.
            weight_decay: Decay of weights; norms and biases have none.
            warmup_fraction: Share of the steps over which the rate rises.
            momentum: Momentum of the target network at the start; it ends at 1.
            channels_last: Whether to compute in channels-last memory format. On a CPU
                that doubles the speed of depthwise networks such as MobileNets, and
                slows ResNets down.
            commercial_use: What the licence of the training images allows: ``"yes"``,
                ``"no"`` or ``"unknown"``.
            training_images: What these are and where they come from, in words, for
                the model card.

        Raises:
            InputError: If torchvision has no backbone of that name.
            ValueError: If a module is given without ``backbone_dim``, or settings are
                outside of their range or exclude each other.
        """
        super().__init__()
        # Plain values: a checkpoint is to be read without running what it holds.
        contrast, form = Contrast(contrast).value, NegativeForm(form).value
        negatives_from = NegativesFrom(negatives_from).value
        ignored = ["batch_transform", "training_images"]
        if not isinstance(backbone, str):
            ignored.append("backbone")
        self.save_hyperparameters(ignore=ignored)
        check_hyperparameters(self.hparams)
        self.batch_transform = batch_transform
        if isinstance(backbone, str):
            name = backbone
            self.backbone, dim = build_backbone(name)
        elif backbone_dim is None:
            raise ValueError("backbone_dim is needed with a module as backbone")
        else:
            name, dim, self.backbone = "custom", backbone_dim, backbone
        self.info = BackboneInfo(
            name=name,
            dim=dim,
            input_size=input_size,
            commercial_use=commercial_use,
            training_images=training_images,
        )
        self.projection_head = BYOLProjectionHead(
            dim, projection_hidden_dim, projection_dim
        )
        if channels_last:
            self.backbone.to(memory_format=torch.channels_last)
        # Built where used only: parameters without a gradient stop distributed runs.
        self.prediction_head: nn.Module | None = None
        self.target: TargetNetwork | None = None
        if positive_weight or Contrast(contrast) is not Contrast.ONLINE:
            self.prediction_head = BYOLPredictionHead(
                projection_dim, projection_hidden_dim, projection_dim
            )
            self.target = TargetNetwork(self.backbone, self.projection_head)
        self.criterion = ContraWarpLoss(
            form,
            positive_weight,
            negative_weight,
            temperature,
            margin,
            negatives_from,
        )

    def forward(self, images: Tensor) -> Tensor:
        """Encodes normalised images ``[N, 3, H, W]`` to features ``[N, D]``."""
        features: Tensor = self.backbone(images)
        return features.flatten(1)

    def on_train_start(self) -> None:
        """Logs how far the warps move a face, in inter-ocular distances."""
        transform = getattr(self.batch_transform, "transform", None)
        if self.logger is not None and transform is not None:
            drawn = transform.warp.draw(1000, generator=torch.Generator())
            strength = float(transform.warp.strength_of(drawn).mean())
            self.logger.log_metrics({"warp/strength": strength}, self.global_step)

    def transfer_batch_to_device(
        self, batch: Any, device: torch.device, dataloader_idx: int
    ) -> Any:
        """Moves a batch, except for landmarks: warps are drawn on the CPU."""
        moved = super().transfer_batch_to_device(batch, device, dataloader_idx)
        return keep_landmarks(batch, moved)

    def configure_callbacks(self) -> list[Callback]:
        """Watches every run: see ``TrainingWatch``."""
        return [TrainingWatch()]

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        """Takes one step: moves the target network, then returns the loss."""
        views = views_of(batch, self.batch_transform)
        # Once for each optimiser step, though that may take several batches.
        if batch_idx % self.trainer.accumulate_grad_batches == 0:
            self.update_target(*run_position(self.trainer, batch_idx))
        features, terms = self.compare(views)
        size = len(views[0])
        log = {f"train/{key}": getattr(terms, key) for key in terms._fields}
        self.log(LOSS, log.pop(LOSS), batch_size=size, prog_bar=True)
        spread = std_of_l2_normalized(features.detach()) * self.info.dim**0.5
        self.log_dict({**log, SPREAD: spread}, batch_size=size)
        return terms.loss

    def compare(self, views: Sequence[Tensor]) -> tuple[Tensor, LossTerms]:
        """Passes views through both networks and computes the loss.

        Args:
            views: List of float ``[B, 3, S, S]``, as ``ContraWarpTransform`` orders
                them.

        Returns:
            Features ``[V * B, D]`` of the views that the online network saw, and the
            terms of the loss.

        Raises:
            ValueError: If the number of views is not that of the settings.
        """
        hparams: Any = self.hparams
        wanted = number_of_views(hparams.num_negatives, hparams.paired)
        if len(views) != wanted:
            raise ValueError(
                f"expected {wanted} views for num_negatives={hparams.num_negatives}, "
                f"paired={hparams.paired}, got {len(views)}; give ContraWarpTransform "
                "and ContraWarp the same settings"
            )
        images = torch.cat(list(views)).to(self.dtype)
        if hparams.channels_last:
            images = images.contiguous(memory_format=torch.channels_last)
        contrast = Contrast(hparams.contrast)
        every = hparams.paired or contrast is not Contrast.TARGET
        online = images[: (wanted if every else 2) * len(views[0])]
        features = self(online)
        q = self.projection_head(features)
        p = z = None
        if self.target is not None and self.prediction_head is not None:
            p, z = self.prediction_head(q), self.target(images)
        terms = loss_of_views(
            self.criterion,
            (q, p, z),
            len(views[0]),
            contrast=contrast,
            paired=hparams.paired and hparams.num_negatives > 0,
        )
        return features, terms

    def update_target(self, step: int, total: int) -> None:
        """Moves the target network, if there is one, towards the online one.

        Args:
            step: Number of steps taken.
            total: Length of the run.
        """
        if self.target is not None:
            momentum = target_momentum(step, total, self.hparams["momentum"])
            self.target.follow(self.backbone, self.projection_head, momentum)

    def configure_optimizers(self) -> Any:
        """AdamW with a linear warm-up and a cosine decay over the run.

        Raises:
            InputError: If the length of the run is not known.
        """
        hparams: Any = self.hparams
        heads = [self.projection_head, self.prediction_head]
        optimizer = adamw(
            [self.backbone, *(head for head in heads if head is not None)],
            lr=hparams.lr,
            weight_decay=hparams.weight_decay,
            fused=can_fuse(self.trainer),
        )
        return follow_run(optimizer, self.trainer, hparams.warmup_fraction)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Adds what ``load_backbone`` needs.

        Raises:
            DivergedError: If weights are not finite, before anything is written.
        """
        steps = checkpoint.get("global_step", 0)
        check_finite(checkpoint["state_dict"], steps, self._trainer)
        checkpoint[CHECKPOINT_KEY] = self.info.to_dict()

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Checks that a checkpoint is of this encoder, and takes over what it says.

        Raises:
            InputError: If it is of another one.
        """
        saved = check_encoder(checkpoint, self.info)
        if self.info.training_images == "unknown":
            self.info = replace(self.info, training_images=saved.training_images)
