"""Cosines between embeddings of views, as ``ContraWarpLoss`` compares them."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F


def unit(x: Tensor) -> Tensor:
    """Scales the last axis to length 1, in float32."""
    return F.normalize(x.float(), dim=-1)


def compare(
    positives: list[tuple[Tensor, Tensor]], negatives: Tensor
) -> list[tuple[Tensor, Tensor]]:
    """Cosines ``[B]`` and ``[B, K]`` of anchors to their positive and to negatives."""
    far = unit(negatives)
    return [
        ((anchor * close).sum(-1), (far @ anchor[..., None])[..., 0])
        for anchor, close in positives
    ]


def split_diagonal(cosines: Tensor) -> tuple[Tensor, Tensor]:
    """Splits ``[B, M, M]`` into diagonal ``[B, M]`` and the rest ``[B, M, M-1]``."""
    batch, size, _ = cosines.shape
    rest = cosines.flatten(1)[:, 1:].reshape(batch, size - 1, size + 1)[..., :-1]
    return cosines.diagonal(dim1=1, dim2=2), rest.reshape(batch, size, size - 1)


def check_shapes(
    p0: Tensor,
    p1: Tensor,
    z0: Tensor,
    z1: Tensor,
    negatives: Tensor | None,
    negative_predictions: Tensor | None,
    projections: tuple[Tensor, Tensor] | None,
) -> None:
    """Checks what is passed to ``ContraWarpLoss.terms``.

    Raises:
        ValueError: If the shapes do not belong together.
    """
    if p0.ndim not in (2, 3) or (p0.ndim == 3 and p0.shape[1] < 2):
        raise ValueError(
            "p0 must be [B, D], or [B, M, D] with M of at least 2 paired warps, "
            f"got {list(p0.shape)}"
        )
    same = {"p1": p1, "z0": z0, "z1": z1}
    for index, tensor in enumerate(projections or ()):
        same[f"projections[{index}]"] = tensor
    for name, tensor in same.items():
        if tensor.shape != p0.shape:
            raise ValueError(
                f"{name} must have the shape of p0, {list(p0.shape)}, "
                f"got {list(tensor.shape)}"
            )
    extra = {"negatives": negatives, "negative_predictions": negative_predictions}
    for name, given in extra.items():
        if given is None:
            continue
        if p0.ndim == 3:
            raise ValueError(f"{name} must be None with paired warps [B, M, D]")
        wanted = (p0.shape[0], p0.shape[1])
        if given.ndim != 3 or (given.shape[0], given.shape[2]) != wanted:
            raise ValueError(
                f"{name} must be [{wanted[0]}, K, {wanted[1]}], got {list(given.shape)}"
            )
