"""Cosines between embeddings of views, as ``ContraWarpLoss`` takes them."""

from __future__ import annotations

from typing import TypeAlias

from jaxtyping import Float, Float32
from torch import Tensor
from torch.nn import functional as F

Pair: TypeAlias = tuple[Float[Tensor, "b *m d"], Float[Tensor, "b *m d"]]
"""Something of the first and of the second views."""


def unit(x: Float[Tensor, "*b d"]) -> Float32[Tensor, "*b d"]:
    """Scales the last axis to length 1."""
    return F.normalize(x.float(), dim=-1)


def split_diagonal(
    cosines: Float[Tensor, "b m m"],
) -> tuple[Float[Tensor, "b m"], Float[Tensor, "b m m-1"]]:
    """Splits off the diagonal; the rest of each row keeps its order."""
    batch, size, _ = cosines.shape
    rest = cosines.flatten(1)[:, 1:].reshape(batch, size - 1, size + 1)[..., :-1]
    return cosines.diagonal(dim1=1, dim2=2), rest.reshape(batch, size, size - 1)


def check_shapes(
    projections: Pair | None,
    predictions: Pair | None,
    targets: Pair | None,
    negatives: Float[Tensor, "b m d"] | None,
) -> None:
    """Checks the embeddings that are passed to ``ContraWarpLoss.terms``.

    Raises:
        ValueError: If something is missing, or shapes do not belong together.
    """
    if (predictions is None) != (targets is None):
        raise ValueError("predictions and targets have to be given together")
    pairs = {
        "projections": projections, "predictions": predictions, "targets": targets
    }  # fmt: skip
    named = {
        f"{name}[{index}]": tensor
        for name, pair in pairs.items()
        for index, tensor in enumerate(pair or ())
    }
    if not named:
        return
    first, shape = next((name, tensor.shape) for name, tensor in named.items())
    if len(shape) not in (2, 3) or (len(shape) == 3 and shape[1] < 2):
        raise ValueError(
            f"{first} must be [B, D], or [B, M, D] with M of at least 2 paired warps, "
            f"got {list(shape)}"
        )
    for name, tensor in named.items():
        if tensor.shape != shape:
            raise ValueError(
                f"{name} must have the shape of {first}, {list(shape)}, "
                f"got {list(tensor.shape)}"
            )
    if negatives is None:
        return
    if len(shape) == 3:
        raise ValueError("negatives must be None with paired warps [B, M, D]")
    if negatives.ndim != 3 or negatives.shape[::2] != shape:
        raise ValueError(
            f"negatives must be [{shape[0]}, K, {shape[1]}], got "
            f"{list(negatives.shape)}"
        )
