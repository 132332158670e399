"""A tiny ContraWarp and what fits it, for several tests of training."""

from typing import Any

from pytorch_lightning import Trainer
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from lightly_contrawarp import ContraWarp, ContraWarpTransform
from lightly_contrawarp.transforms.batch_transform import ContraWarpBatchTransform

SIZE = 24

NT_XENT = {"positive_weight": 0.0, "negative_weight": 1.0, "action_weight": 0.0}
"""Warps of all faces told apart, and no other term."""

ACTION = {"positive_weight": 0.0, "negative_weight": 0.0, "action_weight": 1.0}
"""The action term alone."""

BYOL = {
    "negatives_from": "face", "positive_weight": 1.0, "negative_weight": 5.0,
    "action_weight": 0.0,
}  # fmt: skip
"""BYOL's term, and own warps told apart."""


def tiny_encoder() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, stride=2),
        nn.BatchNorm2d(8),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(2),
        nn.Flatten(),
    )


def tiny(kind: type[ContraWarp] = ContraWarp, **settings: Any) -> ContraWarp:
    defaults = {"input_size": SIZE, "projection_hidden_dim": 16, "projection_dim": 8}
    return kind(tiny_encoder(), 32, **{**defaults, **settings})


def batched(num_negatives: int = 1, pairing: str = "paired") -> nn.Module:
    return ContraWarpBatchTransform(ContraWarpTransform(SIZE, num_negatives, pairing))


def pictures(views: list[Tensor]) -> list[Tensor]:
    """Views without the actions that follow them."""
    return [view for view in views if view.ndim == 4]


def trainer(**settings: Any) -> Trainer:
    defaults = {"max_epochs": 1, "logger": False, "enable_checkpointing": False}
    return Trainer(
        accelerator="cpu",
        enable_progress_bar=False,
        enable_model_summary=False,
        **{**defaults, **settings},
    )


def loader(faces: Tensor, batch: int = 8) -> DataLoader[tuple[Tensor, ...]]:
    return DataLoader(TensorDataset(faces), batch_size=batch)
