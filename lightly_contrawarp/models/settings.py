"""Settings of ``ContraWarp``."""

from __future__ import annotations

from dataclasses import dataclass

from contrawarp_edge.core.errors import InputError
from lightly_contrawarp.loss.hyperparameters import hyperparameter
from lightly_contrawarp.loss.settings import (
    Contrast,
    LossSettings,
    NegativesFrom,
    words_of,
)


@dataclass(frozen=True, kw_only=True)
class ModelSettings(LossSettings):
    """What ``ContraWarp`` is made with; each field says what it is.

    Raises:
        InputError: If one is outside of its range, or some exclude each other.
    """

    backbone: str = hyperparameter(
        "resnet18", "Torchvision model name, or small, small_w32, small_w64."
    )
    input_size: int = hyperparameter(112, "In pixels.", low=1, high=2048)
    num_negatives: int = hyperparameter(
        1, "Warps of a face; 0 is SimCLR or BYOL.", low=0, high=64
    )
    paired: bool = hyperparameter(
        True, "Whether each warped face comes in two views.", off="unpaired"
    )
    contrast: str = hyperparameter(
        Contrast.ONLINE.value,
        "What the views of warps are contrasted with.",
        choices=words_of(Contrast),
    )
    projection_hidden_dim: int = hyperparameter(
        1024, "Hidden width of both heads.", low=1, option=False
    )
    projection_dim: int = hyperparameter(
        256, "Output width of both heads.", low=1, option=False
    )
    lr: float = hyperparameter(3e-3, "Peak learning rate.", low=0, low_open=True)
    weight_decay: float = hyperparameter(
        1e-2, "Of weights; norms and biases have none.", low=0, option=False
    )
    warmup_fraction: float = hyperparameter(
        0.05,
        "Share of the steps over which the learning rate rises.",
        low=0,
        high=1,
        option=False,
    )
    momentum: float = hyperparameter(
        0.99,
        "Of the target network at the start; it ends at 1.",
        low=0,
        high=1,
        option=False,
    )
    channels_last: bool = hyperparameter(
        False, "Faster for MobileNets on a CPU, and on GPUs."
    )
    embedding_dim: int = hyperparameter(
        128, "Most dimensions of the exported embedding.", low=1
    )
    commercial_use: str = hyperparameter(
        "unknown",
        "What the licence of the images allows; kept with the model.",
        choices=("unknown", "yes", "no"),
    )
    training_images: str = hyperparameter(
        "unknown",
        "What the images are and whose, in words; kept with the model.",
        shown="the name of FOLDER",
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.negatives_from == NegativesFrom.BATCH:
            if self.contrast != Contrast.ONLINE:
                raise InputError(
                    f"contrast {self.contrast!r} needs negatives_from 'face'"
                )
            if self.num_negatives and not self.paired:
                raise InputError("unpaired warps need negatives_from 'face'")
        elif not (self.num_negatives or self.positive_weight):
            raise InputError(
                "nothing is left to learn: without negatives, positive_weight has to "
                "be above 0, or negatives_from 'batch'"
            )
