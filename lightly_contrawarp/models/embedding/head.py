"""The linear head that makes an embedding of a feature map, fitted without labels."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Float32, Shaped
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from contrawarp_edge.core.errors import InputError, NotApplicableError
from lightly_contrawarp.models.finite import all_finite

WHITEN = 0.5
"""Exponent of whitening, see `fit_head`."""

_RIDGE = 0.1
"""Penalty of the action axes, in units of the mean variance of the differences."""

_HELD_OUT = 16
"""One difference of so many, drawn at random, tells how well the axes read actions."""

_READABLE = 0.05
"""Mean R2 below which an encoder does not tell actions, and has no axes for them."""

MOST_EXACT = 5000
"""Most features whose covariance is decomposed exactly: time grows with their cube. Of
more, as many differences are taken, for the same reason."""

_SMALLEST = 1e-6
"""Components of less than this share of the first one's variance are rounding."""

_AXES = {"mean": 1, "components": 2, "explained": 1, "whiten": 0, "r2": 1}
"""Number of axes of what a head consists of."""


class Moved(NamedTuple):
    """How features move with facial actions.

    Attributes:
        differences: Features of a warped face minus those of the face as it is, each
            seen in a view of its own.
        actions: What the warps did: signed strengths, of mean 0.
    """

    differences: Shaped[NDArray[np.float32], "n f"]
    actions: Shaped[NDArray[np.float32], "n a"]


class EmbeddingHead(nn.Module):
    """Axes of facial actions, then principal components: ``(x - mean) @ components.T``.

    Args:
        mean: Mean of the features.
        components: Directions, scaled: first those along which actions move features,
            then principal ones in the order of their variance.
        explained: Share of the variance that each of them explains; 0 for actions.
        whiten: Exponent that principal ones were scaled with.
        r2: How well each action is told, on differences that were held out; empty if
            there are no axes of actions.
    """

    mean: Tensor
    components: Tensor
    explained: Tensor
    whiten: Tensor
    r2: Tensor
    bias: Tensor

    def __init__(
        self,
        mean: Float32[Tensor, " f"],
        components: Float32[Tensor, "d f"],
        explained: Float32[Tensor, " d"],
        whiten: Float32[Tensor, ""],
        r2: Float32[Tensor, " a"],
    ) -> None:
        super().__init__()
        self.register_buffer("mean", mean)
        self.register_buffer("components", components)
        self.register_buffer("explained", explained)
        self.register_buffer("whiten", whiten)
        self.register_buffer("r2", r2)
        bias = -(components.double() @ mean.double()).float()
        self.register_buffer("bias", bias, persistent=False)

    @classmethod
    def from_state(cls, state: Any) -> EmbeddingHead:
        """Makes the head whose ``state_dict`` this is.

        Raises:
            InputError: If it is none.
        """
        tensors = state if isinstance(state, Mapping) else {}
        found = [
            tensor
            for name, axes in _AXES.items()
            if isinstance(tensor := tensors.get(name), Tensor)
            and (tensor.dtype, tensor.ndim) == (torch.float32, axes)
            and (tensor.numel() or name == "r2")
        ]
        if len(found) == len(_AXES) and all_finite(found):
            mean, components, explained, whiten, r2 = found
            shape = len(explained), len(mean)
            if components.shape == shape and len(r2) <= len(explained):
                return cls(mean, components, explained, whiten, r2)
        raise InputError("its embedding head is damaged")

    @property
    def dim(self) -> int:
        """Number of components."""
        return len(self.components)

    def first(self, dim: int) -> EmbeddingHead:
        """The head of the first components only, the axes of actions among them.

        Raises:
            InputError: If there are fewer, or not even all axes of actions are wanted.
        """
        if dim > self.dim:
            raise InputError(
                f"{dim} dimensions are more than the {self.dim} of the embedding head; "
                "give fewer"
            )
        if dim < len(self.r2):
            raise InputError(
                f"{dim} dimensions are too few: {len(self.r2)} are axes of actions; "
                "give more"
            )
        kept = self.components[:dim].clone(), self.explained[:dim].clone()
        return EmbeddingHead(self.mean, *kept, self.whiten, self.r2)

    def forward(self, features: Float32[Tensor, "n f"]) -> Float32[Tensor, "n d"]:
        """Projects features."""
        return F.linear(features, self.components, self.bias)


def fit_head(
    features: Shaped[NDArray[np.float32], "n f"],
    dim: int,
    whiten: float = WHITEN,
    moved: Moved | None = None,
) -> EmbeddingHead:
    """Fits a head to the features of images, without labels.

    Principal components hold what differs between the images. What an expression
    changes is a small part of that, so the directions along which actions move
    features are set beside them, with the same mean square length in all.

    Args:
        features: Of unlabelled images, without augmentation.
        dim: Components to keep, those of actions included; as many as the data have,
            if that is fewer.
        whiten: 0 leaves each principal component its variance, 1 gives all of them the
            same. They are multiplied by ``variance ** (-whiten / 2)``.
        moved: How actions move features; without, there are no axes of actions.

    Raises:
        InputError: If the features of all images are the same.
    """
    mean = features.mean(axis=0, dtype=np.float64).astype(np.float32)
    # Centred first: a covariance in float32 loses what is small beside the mean.
    centred = features - mean
    noise = float(np.finfo(np.float32).eps * np.linalg.norm(mean)) ** 2
    if not centred.var() * features.shape[1] > noise:
        raise _all_alike(len(features))
    axes, r2 = np.empty((0, features.shape[1]), np.float32), np.empty(0, np.float32)
    if moved is not None and dim > moved.actions.shape[1]:
        axes, r2 = _action_axes(centred, moved)
    components, explained = _principal(centred, dim - len(axes), whiten, noise)
    return EmbeddingHead(
        torch.from_numpy(mean),
        torch.from_numpy(np.concatenate([axes, components]).astype(np.float32)),
        torch.from_numpy(
            np.concatenate([np.zeros(len(axes)), explained]).astype(np.float32)
        ),
        torch.tensor(whiten),
        torch.tensor(r2, dtype=torch.float32),
    )


def _principal(
    centred: Shaped[NDArray[np.float32], "n f"], dim: int, whiten: float, noise: float
) -> tuple[Shaped[NDArray[np.floating], "d f"], Shaped[NDArray[np.floating], " d"]]:
    """Principal components of mean square length 1 in all, and what they explain."""
    from sklearn.decomposition import PCA  # takes a second, and loading needs none

    count, width = centred.shape
    pca = PCA(
        max(1, min(dim, count - 1, width)),
        svd_solver="covariance_eigh" if width <= MOST_EXACT else "randomized",
        random_state=0,
    ).fit(centred)
    variance = pca.explained_variance_
    kept = variance > max(noise, _SMALLEST * variance[0])
    if not kept.any():
        raise _all_alike(count)
    variance = variance[kept]
    scale = variance ** (-whiten / 2) / np.sqrt((variance ** (1 - whiten)).sum())
    return pca.components_[kept] * scale[:, None], pca.explained_variance_ratio_[kept]


def _action_axes(
    centred: Shaped[NDArray[np.float32], "n f"], moved: Moved
) -> tuple[Shaped[NDArray[np.floating], "a f"], Shaped[NDArray[np.floating], " a"]]:
    """Directions that tell actions, by ridge regression without intercept, and R2.

    A difference tells what an action adds, and not what the face was like before; on
    images, the axis of an action tells how much of it a face shows. Each has the same
    variance on these.
    """
    from sklearn.linear_model import Ridge
    from sklearn.metrics import r2_score

    order = np.random.default_rng(0).permutation(len(moved.differences))
    if moved.differences.shape[1] > MOST_EXACT:
        order = order[:MOST_EXACT]
    differences, actions = (part[order] for part in moved)
    held_out = len(differences) // _HELD_OUT
    fitted = len(differences) - held_out
    penalty = _RIDGE * float(differences.var()) * fitted
    ridge = Ridge(penalty, fit_intercept=False)
    ridge.fit(differences[:fitted], actions[:fitted])
    nothing = np.empty((0, centred.shape[1])), np.empty(0)
    if held_out < 2:
        return nothing
    told = ridge.predict(differences[fitted:])
    r2 = r2_score(actions[fitted:], told, multioutput="raw_values")
    spread = (centred @ ridge.coef_.T).std(axis=0)
    if r2.mean() < _READABLE or not spread.all():
        return nothing
    return ridge.coef_ / (spread[:, None] * np.sqrt(len(spread))), r2


def _all_alike(count: int) -> InputError:
    return NotApplicableError(
        f"the features of all {count} images are the same, which gives no embedding "
        "head"
    )
