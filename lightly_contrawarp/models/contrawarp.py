"""``ContraWarp``: the method as a LightningModule, made of Lightly's modules."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields, replace
from typing import Any

import torch
from jaxtyping import Float, Float32
from lightly.models.modules import BYOLPredictionHead, BYOLProjectionHead
from lightly.utils.debug import std_of_l2_normalized
from pytorch_lightning import Callback, LightningModule
from torch import Tensor, nn

from lightly_contrawarp.loss.actions import ActionHead
from lightly_contrawarp.loss.contrawarp_loss import ContraWarpLoss, LossTerms
from lightly_contrawarp.loss.hyperparameters import spells_out
from lightly_contrawarp.loss.of_views import compared_views, warped_and_not
from lightly_contrawarp.loss.settings import Contrast
from lightly_contrawarp.models.backbones import build_backbone
from lightly_contrawarp.models.checkpoint import (
    CHECKPOINT_KEY,
    CUSTOM,
    HEAD_KEY,
    BackboneInfo,
    check_encoder,
)
from lightly_contrawarp.models.embedding.fitting import fit_embedding_head
from lightly_contrawarp.models.embedding.head import EmbeddingHead
from lightly_contrawarp.models.health import (
    LOSS,
    SPREAD,
    TrainingWatch,
    check_finite,
    to_log,
)
from lightly_contrawarp.models.optimizer import (
    adamw,
    can_fuse,
    follow_run,
    target_momentum,
)
from lightly_contrawarp.models.run_position import run_position
from lightly_contrawarp.models.settings import ModelSettings, check_views, of_earlier
from lightly_contrawarp.models.target_network import TargetNetwork
from lightly_contrawarp.transforms.action_warp import ActionWarp
from lightly_contrawarp.transforms.batch_items import keep_landmarks, views_of
from lightly_contrawarp.transforms.pairing import Pairing


@spells_out(ModelSettings)
class ContraWarp(LightningModule):
    """Trains an encoder of facial expression from the views of ContraWarpTransform.

    A batch is the list of views, or a tuple or list whose first item is that list, as
    ``LightlyDataset`` and ``MultiViewCollate`` make it. With a ``batch_transform`` it
    is a tensor of images, or a tuple or list whose first item is one; of a ``FaceItem``
    or ``FramePair``, landmarks and neighbours go to the transform too. ``pairing``,
    ``warp``, ``num_negatives`` and ``input_size`` have to be those of the transform.

    Positives and warped faces share one forward pass through each network: a batch of
    warped faces alone would have batch-norm statistics of its own, and be told apart
    by them.

    Attributes:
        backbone: The encoder to keep.
        criterion: The loss.
        settings: What it was made with.
        info: The facts that checkpoints carry.
        head_state: State of the embedding head that checkpoints carry. It is no
            submodule, so that weights load with and without one.
    """

    r2: Tensor  # of each action, as last known
    head_state: Mapping[str, Tensor] | None = None

    def __init__(
        self,
        backbone: str | nn.Module | None = None,
        backbone_dim: int | None = None,
        batch_transform: nn.Module | None = None,
        *,
        settings: ModelSettings | None = None,
        **changes: Any,
    ) -> None:
        """Initializes online and target networks.

        Args:
            backbone: Torchvision name, or a module ``[n, 3, h, w] -> [n, d]``; the
                settings' if there is none.
            backbone_dim: ``d`` of a module; names know theirs.
            batch_transform: Makes the views of a batch of images on its device, such as
                a ``ContraWarpBatchTransform``; without one, the data loader does.
            settings: Everything else; the defaults if there are none.
            **changes: Fields of `ModelSettings` that shall differ, such as ``lr=1e-3``.

        Raises:
            InputError: If there is no such backbone, or settings exclude each other.
            ValueError: If a module comes without ``backbone_dim``.
        """
        super().__init__()
        if isinstance(backbone, str):
            changes["backbone"] = backbone
        settings = replace(settings or ModelSettings(), **of_earlier(changes))
        ignored = {"batch_transform", "settings", "training_images"}
        ignored |= changes.keys() - {one.name for one in fields(ModelSettings)}
        if isinstance(backbone, nn.Module):
            ignored.add("backbone")
        self.save_hyperparameters(ignore=list(ignored))  # what a subclass takes, too
        names = {one.name for one in fields(ModelSettings)} - ignored
        self.save_hyperparameters({name: getattr(settings, name) for name in names})
        self.settings, self.batch_transform = settings, batch_transform
        if not isinstance(backbone, nn.Module):
            name = settings.backbone
            self.backbone, dim = build_backbone(name)
        elif backbone_dim is None:
            raise ValueError("backbone_dim is needed with a module as backbone")
        else:
            name, dim, self.backbone = CUSTOM, backbone_dim, backbone
        self.info = BackboneInfo(
            name=name,
            dim=dim,
            input_size=settings.input_size,
            commercial_use=settings.commercial_use,
            training_images=settings.training_images,
        )
        # A module of the user's own may take the other order for granted.
        last = settings.channels_last and name != CUSTOM
        self._format = torch.channels_last if last else torch.preserve_format
        self.backbone.to(memory_format=self._format)
        # Built where used only: parameters without a gradient stop distributed runs.
        self.action_head: ActionHead | None = None
        self.projection_head: nn.Module | None = None
        self.prediction_head: nn.Module | None = None
        self.target: TargetNetwork | None = None
        self.actions = ActionWarp().names if settings.predicts_actions else ()
        self.register_buffer("r2", torch.zeros(len(self.actions)), persistent=False)
        if self.actions:
            self.action_head = ActionHead(dim, len(self.actions))
        if settings.positive_weight or settings.contrasts:
            self.projection_head = BYOLProjectionHead(
                dim, settings.projection_hidden_dim, settings.projection_dim
            )
        against_target = settings.contrasts and settings.contrast == Contrast.TARGET
        if self.projection_head and (settings.positive_weight or against_target):
            width, hidden = settings.projection_dim, settings.projection_hidden_dim
            self.prediction_head = BYOLPredictionHead(width, hidden, width)
            self.target = TargetNetwork(self.backbone, self.projection_head)
        self.criterion = ContraWarpLoss(settings)

    def trained(self) -> list[nn.Module]:
        """The modules that the optimiser updates."""
        heads = [self.projection_head, self.prediction_head, self.action_head]
        return [self.backbone, *(head for head in heads if head is not None)]

    def forward(self, images: Float[Tensor, "n 3 h w"]) -> Float[Tensor, "n d"]:
        """Encodes normalised images to features."""
        features: Tensor = self.backbone(images)
        return features.flatten(1)

    def on_train_start(self) -> None:
        """Logs how far the warps move a face, in inter-ocular distances."""
        self.head_state = None  # it was fitted to weights that change now
        transform = getattr(self.batch_transform, "transform", None)
        if self.logger is not None and transform is not None:
            warps = transform.warp.draw(1000, generator=torch.Generator())
            strength = float(transform.warp.strength_of(warps).mean())
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

    def training_step(self, batch: Any, batch_idx: int) -> Float32[Tensor, ""]:
        """Takes one step: moves the target network, then returns the loss."""
        views = views_of(batch, self.batch_transform)
        # Once for each optimiser step, though that may take several batches.
        if batch_idx % self.trainer.accumulate_grad_batches == 0:
            self.update_target(*run_position(self.trainer, batch_idx))
        features, terms = self.terms(views)
        found, self.r2 = to_log(terms, self.r2, self.actions)
        log = {f"train/{name}": term for name, term in found.items()}
        self.log(LOSS, log.pop(LOSS), batch_size=len(views[0]), prog_bar=True)
        spread = std_of_l2_normalized(features.detach()) * self.info.dim**0.5
        self.log_dict({**log, SPREAD: spread}, batch_size=len(views[0]))
        return terms.loss

    def terms(
        self, views: Sequence[Float[Tensor, "b 3 s s"] | Float[Tensor, "b m a"]]
    ) -> tuple[Float[Tensor, "vb d"], LossTerms]:
        """Passes views through both networks and computes the loss.

        Args:
            views: As ``ContraWarpTransform`` orders them, with the actions.

        Returns:
            Features of the views that the online network saw, view by view, and the
            terms of the loss.

        Raises:
            ValueError: If views are not those of the settings, or actions are missing.
        """
        settings = self.settings
        actions = views[-1] if views[-1].ndim == 3 else None
        views = views if actions is None else views[:-1]
        check_views(settings, len(views), actions is not None)
        batch = len(views[0])
        images = torch.cat(list(views)).to(self.dtype, memory_format=self._format)
        features = self(images if settings.shows_every_view else images[: 2 * batch])
        q = p = z = predicted = None
        if self.projection_head is not None:
            q = self.projection_head(features)
            if self.target is not None and self.prediction_head is not None:
                p, z = self.prediction_head(q), self.target(images)
        if self.action_head is not None:
            pairs = warped_and_not(features, batch, settings.num_negatives)
            predicted = torch.stack([self.action_head(*pair) for pair in pairs])
        paired = settings.pairing == Pairing.PAIRED and settings.num_negatives > 0
        kind = settings.contrast
        compared = compared_views(q, p, z, batch, contrast=kind, paired=paired)
        terms = self.criterion.terms(
            *compared,
            predicted_actions=predicted,
            actions=None if predicted is None else actions,
        )
        return features, terms

    def update_target(self, step: int, total: int) -> None:
        """Moves the target network, if there is one, towards the online one.

        Args:
            step: Number of steps taken.
            total: Length of the run.
        """
        if self.target is not None and self.projection_head is not None:
            momentum = target_momentum(step, total, self.settings.momentum)
            self.target.follow(self.backbone, self.projection_head, momentum)

    def fit_embedding_head(self, images: Iterable[Any]) -> EmbeddingHead:
        """Fits the head of the exported embedding; checkpoints keep it from then on.

        Call it when training is over and before ``trainer.save_checkpoint``, in one
        process, with the module on a GPU if there is one: a trainer leaves it on the
        CPU. Further training drops the head.

        Args:
            images: Batches without augmentation; see `fitting.fit_embedding_head`.

        Raises:
            InputError: If the encoder has no feature map, or images are of no use.
        """
        size, dim = self.settings.input_size, self.settings.embedding_dim
        head = fit_embedding_head(self.backbone, images, size, dim)
        self.head_state = head.state_dict()
        return head

    def configure_optimizers(self) -> Any:
        """AdamW with a linear warm-up and a cosine decay over the run.

        Raises:
            InputError: If the length of the run is not known.
        """
        optimizer = adamw(
            self.trained(),
            lr=self.settings.lr,
            weight_decay=self.settings.weight_decay,
            fused=can_fuse(self.trainer),
        )
        return follow_run(optimizer, self.trainer, self.settings.warmup_fraction)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Adds what ``load_backbone`` needs.

        Raises:
            DivergedError: If weights are not finite, before anything is written.
        """
        steps = checkpoint.get("global_step", 0)
        check_finite(checkpoint["state_dict"], steps, self._trainer)
        checkpoint[CHECKPOINT_KEY] = self.info.to_dict()
        if self.head_state is not None:
            checkpoint[HEAD_KEY] = self.head_state

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Checks that a checkpoint is of this encoder, and takes over what it says.

        Raises:
            InputError: If it is of another one.
        """
        saved = check_encoder(checkpoint, self.info)
        self.head_state = checkpoint.get(HEAD_KEY)
        if self.info.training_images == "unknown":
            self.info = replace(self.info, training_images=saved.training_images)
