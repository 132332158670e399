"""A linear classifier in the exported network: probabilities of named classes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float32, Shaped
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax
from torch import Tensor, nn

from contrawarp_edge.core.errors import InputError
from lightly_contrawarp.models.finite import all_finite

_TEMPERATURES = 1e-2, 1e2


@dataclass(frozen=True)
class FitFacts:
    """What a classifier was fitted on, and how good it is there.

    Attributes:
        source: The labelled set, in words.
        images_by_class: Number of images by class, those that were held out included.
        held_out: How many of them were held out to choose and to calibrate it.
        accuracy: Share of the held-out images that is right.
        calibration_error: Expected calibration error on them.
    """

    source: str
    images_by_class: dict[str, int]
    held_out: int
    accuracy: float
    calibration_error: float


class LinearClassifier(nn.Linear):
    """Probabilities of classes, ``softmax(x @ weight.T + bias)``.

    Args:
        weight: ``[classes, features]``.
        bias: ``[classes]``.
        facts: What it was fitted on; the names of the classes, in their order, are
            those of ``images_by_class``.
        reads_pooled: Whether it reads the encoder's pooled output, and not the
            embedding at unit length.
    """

    def __init__(
        self,
        weight: Float32[Tensor, "classes f"],
        bias: Float32[Tensor, " classes"],
        facts: FitFacts,
        *,
        reads_pooled: bool = False,
    ) -> None:
        super().__init__(weight.shape[1], weight.shape[0])
        self.weight = nn.Parameter(weight, requires_grad=False)
        self.bias = nn.Parameter(bias, requires_grad=False)
        self.facts = facts
        self.reads_pooled = reads_pooled

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes."""
        return tuple(self.facts.images_by_class)

    def forward(self, features: Float32[Tensor, "n f"]) -> Float32[Tensor, "n classes"]:
        """Probabilities; rows sum to 1."""
        return super().forward(features).softmax(dim=1)

    def to_state(self) -> dict[str, Any]:
        """Plain values and tensors, safe for ``torch.load(..., weights_only=True)``."""
        return {**self.state_dict(), "facts": asdict(self.facts)}

    @classmethod
    def from_state(cls, state: Any) -> LinearClassifier:
        """Makes the classifier of pooled features whose ``to_state`` this is.

        Raises:
            InputError: If it is none.
        """
        try:
            facts = FitFacts(**state["facts"])
            weight, bias = state["weight"], state["bias"]
            shape = len(facts.images_by_class), weight.shape[1]
            fits = weight.shape == shape and bias.shape == shape[:1]
            if fits and all_finite([weight, bias]):
                return cls(weight, bias, facts, reads_pooled=True)
        except (AttributeError, IndexError, KeyError, TypeError):
            pass
        raise InputError("its classifier is damaged")


def affine(
    weight: Shaped[NDArray[np.floating[Any]], "d f"],
    bias: Shaped[NDArray[np.floating[Any]], " d"],
) -> nn.Linear:
    """The layer ``x @ weight.T + bias``, in float32."""
    layer = nn.Linear(weight.shape[1], weight.shape[0])
    layer.load_state_dict(
        {
            "weight": torch.from_numpy(weight.astype(np.float32)),
            "bias": torch.from_numpy(bias.astype(np.float32)),
        }
    )
    return layer.requires_grad_(False)


def fit_temperature(
    logits: Shaped[NDArray[np.floating[Any]], "n classes"],
    labels: Shaped[NDArray[np.integer[Any]], " n"],
) -> float:
    """The temperature by which logits have to be divided to be calibrated.

    It makes the mean log-likelihood of images that the classifier did not learn from
    the largest (Guo et al. 2017). What is predicted stays the same. Labels are taken
    for wrong by the rule of succession, 1 in n + 2, as Platt (1999) does: else images
    that are all right would ask for probabilities of 0 and 1.

    Args:
        logits: Of the images.
        labels: Their classes.
    """
    count, classes = logits.shape
    wanted = np.full(logits.shape, 1 / (count + 2) / (classes - 1))
    wanted[np.arange(count), labels] = (count + 1) / (count + 2)

    def loss(log_temperature: float) -> float:
        scaled = log_softmax(logits / np.exp(log_temperature), axis=1)
        return -float((wanted * scaled).sum(axis=1).mean())

    bounds = tuple(np.log(_TEMPERATURES))
    return float(np.exp(minimize_scalar(loss, bounds=bounds, method="bounded").x))


def images_by_class(
    classes: Sequence[str], labels: Shaped[NDArray[np.integer[Any]], " n"]
) -> dict[str, int]:
    """Number of images of each class, in the order of the classes."""
    counts = np.bincount(labels, minlength=len(classes)).tolist()
    return dict(zip(classes, counts, strict=True))
