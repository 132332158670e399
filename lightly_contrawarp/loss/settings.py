"""Settings of the loss."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from contrawarp_edge.core.errors import InputError
from lightly_contrawarp.loss.hyperparameters import (
    check_hyperparameters,
    hyperparameter,
)


class NegativeForm(str, Enum):
    """How a warped face is pushed away."""

    INFO_NCE = "info_nce"
    """Cross-entropy of the positive among the warps of the same face."""


class Contrast(str, Enum):
    """Between what the warps of a face are contrasted, and so where gradients go."""

    ONLINE = "online"
    """Online projections with each other, so that both sides learn."""
    TARGET = "target"
    """Online predictions with target projections; negatives only as targets."""


class NegativesFrom(str, Enum):
    """Whose views are negatives of a view."""

    BATCH = "batch"
    """Other warps of the same face, and all views of the other faces of the batch."""
    FACE = "face"
    """Other warps of the same face only, so that identity cannot help."""


def words_of(kind: type[Enum]) -> tuple[str, ...]:
    """The values of an enum of words."""
    return tuple(member.value for member in kind)


@dataclass(frozen=True, kw_only=True)
class LossSettings:
    """What ``ContraWarpLoss`` computes; each field says what it is.

    Raises:
        InputError: If one is outside of its range, or all weights are 0.
    """

    form: str = hyperparameter(
        NegativeForm.INFO_NCE.value,
        "Form of the contrast.",
        choices=words_of(NegativeForm),
        option=False,
    )
    negatives_from: str = hyperparameter(
        NegativesFrom.BATCH.value,
        "Whether other faces are negatives too, or only warps of the same one.",
        choices=words_of(NegativesFrom),
    )
    positive_weight: float = hyperparameter(0.0, "Of BYOL's term.", low=0)
    negative_weight: float = hyperparameter(1.0, "Of the contrast.", low=0)
    action_weight: float = hyperparameter(1.0, "Of predicting what a warp did.", low=0)
    temperature: float = hyperparameter(0.1, "Of the contrast.", low=1e-8)

    def __post_init__(self) -> None:
        check_hyperparameters(self)
        if not (self.positive_weight or self.negative_weight or self.action_weight):
            raise InputError(
                "positive_weight, negative_weight or action_weight has to be above 0"
            )
