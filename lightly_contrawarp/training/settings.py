"""Settings of a pre-training run."""

from __future__ import annotations

from dataclasses import dataclass

from lightly_contrawarp.loss.hyperparameters import hyperparameter
from lightly_contrawarp.models.settings import ModelSettings


@dataclass(frozen=True, kw_only=True)
class PretrainSettings(ModelSettings):
    """What decides the outcome of a run; a resumed run has to have the same.

    Raises:
        InputError: If one is outside of its range, or some exclude each other.
    """

    batch_size: int = hyperparameter(64, "Images a step, each in several views.", low=2)
    centres: str = hyperparameter(
        "landmarks",
        "Where warps sit: landmarks of each image, if FOLDER/faces.csv has them, or "
        "the crop contract's.",
        choices=("landmarks", "template"),
    )
    neighbours: float = hyperparameter(
        0.0,
        "Seconds up to which second views show another frame of the same track in "
        "FOLDER/faces.csv; 0 for the same frame.",
        low=0,
    )
    precision: str = hyperparameter(
        "32-true",
        "Number format of the computation.",
        choices=("32-true", "bf16-mixed", "16-mixed"),
    )
    seed: int = hyperparameter(0, "Of weights, order and views.", low=0, high=2**32 - 1)
    align: bool = hyperparameter(False, "Cut faces out first, into OUT/aligned.")
