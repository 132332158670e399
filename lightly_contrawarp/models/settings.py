"""Settings of ``ContraWarp``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from contrawarp_edge.core.errors import InputError
from lightly_contrawarp.loss.hyperparameters import hyperparameter
from lightly_contrawarp.loss.settings import (
    Contrast,
    LossSettings,
    NegativesFrom,
    words_of,
)
from lightly_contrawarp.transforms.pairing import Pairing, number_of_views


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
    pairing: str = hyperparameter(
        Pairing.PAIRED.value,
        "Views of each image: two of the face and of each warp, one of each warp "
        "(unpaired), or one of both (single).",
        choices=words_of(Pairing),
    )
    warp: str = hyperparameter(
        "actions",
        "What warps are: moves of the face, or bumps at random.",
        choices=("actions", "bumps"),
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
        True,
        "Whether channels lie last in memory: faster for nearly all encoders.",
        off="channels-first",
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
        if self.warp == "bumps" and self.predicts_actions:
            raise InputError(
                "warp 'bumps' has no actions to predict: set action_weight to 0, or "
                "leave warp at 'actions'"
            )
        if self.negatives_from == NegativesFrom.BATCH:
            if self.contrast != Contrast.ONLINE:
                raise InputError(
                    f"contrast {self.contrast!r} needs negatives_from 'face'"
                )
            if self.pairing == Pairing.UNPAIRED and self.contrasts_warps:
                raise InputError(
                    "pairing 'unpaired' needs negatives_from 'face', or "
                    "negative_weight 0"
                )
        if self.pairing == Pairing.SINGLE:
            self._check_single()
        if not (self.positive_weight or self.contrasts or self.predicts_actions):
            raise InputError(
                "nothing is left to learn: without negatives, positive_weight has to "
                "be above 0, or negatives_from 'batch' with a negative_weight"
            )

    @property
    def contrasts_warps(self) -> bool:
        """Whether warps are told apart."""
        return self.negative_weight > 0 and self.num_negatives > 0

    @property
    def contrasts(self) -> bool:
        """Whether anything is told apart: warps, or faces of the batch."""
        of_batch = self.negatives_from == NegativesFrom.BATCH
        return self.contrasts_warps or (self.negative_weight > 0 and of_batch)

    @property
    def predicts_actions(self) -> bool:
        """Whether there is an action term; without warps there is none."""
        return self.action_weight > 0 and self.num_negatives > 0

    @property
    def shows_every_view(self) -> bool:
        """Whether the online network sees warps in unpaired views, if these are."""
        paired, online = (
            self.pairing != Pairing.UNPAIRED,
            self.contrast == Contrast.ONLINE,
        )
        return paired or self.predicts_actions or (self.contrasts_warps and online)

    def _check_single(self) -> None:
        if not self.num_negatives:
            raise InputError("pairing 'single' needs num_negatives of 1 or more")
        if self.contrasts and self.negatives_from == NegativesFrom.FACE:
            raise InputError(
                "pairing 'single' has no two warps of a face to tell apart: set "
                "negatives_from to 'batch', or negative_weight to 0"
            )
        if self.num_negatives > 1 and (self.contrasts or self.positive_weight):
            raise InputError(
                "pairing 'single' makes positives of two views only: set num_negatives "
                "to 1, or positive_weight and negative_weight to 0"
            )


def check_views(settings: ModelSettings, views: int, with_actions: bool) -> None:
    """Checks that a transform makes the views that are wanted.

    Args:
        settings: What is wanted.
        views: Number of views of an image.
        with_actions: Whether the actions of its warps are there.

    Raises:
        ValueError: If they are other ones.
    """
    wanted = number_of_views(settings.num_negatives, settings.pairing)
    if views == wanted and with_actions >= settings.predicts_actions:
        return
    needed = " and actions" if settings.predicts_actions else ""
    given = " and actions" if with_actions else ""
    raise ValueError(
        f"expected {wanted} views{needed} for num_negatives={settings.num_negatives}, "
        f"pairing={settings.pairing!r}, got {views} views{given}; give "
        "ContraWarpTransform and ContraWarp the same settings"
    )


def of_earlier(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings by today's names, also those that earlier versions stored.

    Those named ``margin``, of a loss that is gone, and ``paired``; their warps were
    random bumps, of which no action was predicted.

    Args:
        settings: Stored values by name.
    """
    named = {name: value for name, value in settings.items() if name != "margin"}
    if "paired" not in named:
        return named
    pairing = Pairing.PAIRED if named.pop("paired") else Pairing.UNPAIRED
    return {"pairing": pairing.value, "warp": "bumps", "action_weight": 0.0, **named}
