"""The linear head that makes an embedding of a feature map, fitted without labels."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from jaxtyping import Float32, Shaped
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from contrawarp_edge.core.errors import InputError, NotApplicableError
from lightly_contrawarp.models.finite import all_finite

WHITEN = 0.0
"""Exponent of whitening, see `fit_head`."""

_MOST_EXACT = 5000
"""Most features whose covariance is decomposed exactly: time grows with their cube."""

_SMALLEST = 1e-6
"""Components of less than this share of the first one's variance are rounding."""

_AXES = {"mean": 1, "components": 2, "explained": 1, "whiten": 0}
"""Number of axes of what a head consists of."""


class EmbeddingHead(nn.Module):
    """Principal components of features, ``(x - mean) @ components.T``.

    Args:
        mean: Mean of the features.
        components: Directions in the order of their variance, scaled.
        explained: Share of the variance that each of them explains.
        whiten: Exponent that they were scaled with.
    """

    mean: Tensor
    components: Tensor
    explained: Tensor
    whiten: Tensor
    bias: Tensor

    def __init__(
        self,
        mean: Float32[Tensor, " f"],
        components: Float32[Tensor, "d f"],
        explained: Float32[Tensor, " d"],
        whiten: Float32[Tensor, ""],
    ) -> None:
        super().__init__()
        self.register_buffer("mean", mean)
        self.register_buffer("components", components)
        self.register_buffer("explained", explained)
        self.register_buffer("whiten", whiten)
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
            and tensor.numel()
        ]
        if len(found) == len(_AXES) and all_finite(found):
            mean, components, explained, whiten = found
            if components.shape == (len(explained), len(mean)):
                return cls(mean, components, explained, whiten)
        raise InputError("its embedding head is damaged")

    @property
    def dim(self) -> int:
        """Number of components."""
        return len(self.components)

    def first(self, dim: int) -> EmbeddingHead:
        """The head of the first components only.

        Raises:
            InputError: If there are fewer.
        """
        if dim > self.dim:
            raise InputError(
                f"{dim} dimensions are more than the {self.dim} of the embedding head"
            )
        kept = self.components[:dim].clone(), self.explained[:dim].clone()
        return EmbeddingHead(self.mean, *kept, self.whiten)

    def forward(self, features: Float32[Tensor, "n f"]) -> Float32[Tensor, "n d"]:
        """Projects features."""
        return F.linear(features, self.components, self.bias)


def fit_head(
    features: Shaped[NDArray[np.float32], "n f"],
    dim: int,
    whiten: float = WHITEN,
) -> EmbeddingHead:
    """Fits a head to the features of images, by principal component analysis.

    Args:
        features: Of unlabelled images, without augmentation.
        dim: Components to keep; as many as the data have, if that is fewer.
        whiten: 0 leaves each component its variance, 1 gives all of them variance 1.
            They are multiplied by ``variance ** (-whiten / 2)``.

    Raises:
        InputError: If the features of all images are the same.
    """
    from sklearn.decomposition import PCA  # takes a second, and loading needs none

    mean = features.mean(axis=0, dtype=np.float64).astype(np.float32)
    # Centred first: a covariance in float32 loses what is small beside the mean.
    centred = features - mean
    exact = features.shape[1] <= _MOST_EXACT
    pca = PCA(
        max(1, min(dim, len(features) - 1, features.shape[1])),
        svd_solver="covariance_eigh" if exact else "randomized",
        random_state=0,
    )
    noise = float(np.finfo(np.float32).eps * np.linalg.norm(mean)) ** 2
    if centred.var() * features.shape[1] > noise:
        pca.fit(centred)
        variance = pca.explained_variance_
        kept = variance > max(noise, _SMALLEST * variance[0])
        if kept.any():
            scale = variance[kept, None] ** (-whiten / 2)
            return EmbeddingHead(
                torch.from_numpy(mean),
                torch.from_numpy((pca.components_[kept] * scale).astype(np.float32)),
                torch.from_numpy(
                    pca.explained_variance_ratio_[kept].astype(np.float32)
                ),
                torch.tensor(whiten),
            )
    raise NotApplicableError(
        f"the features of all {len(features)} images are the same, which gives no "
        "embedding head"
    )
