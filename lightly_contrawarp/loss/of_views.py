"""Which views are compared with which, from the outputs of both networks."""

from __future__ import annotations

from typing import NamedTuple

from jaxtyping import Float
from torch import Tensor

from lightly_contrawarp.loss.cosines import Pair
from lightly_contrawarp.loss.settings import Contrast


class Compared(NamedTuple):
    """Embeddings as ``ContraWarpLoss.terms`` takes them, and what they are there."""

    projections: Pair | None
    predictions: Pair | None
    targets: Pair | None
    negatives: Float[Tensor, "b m d"] | None


def compared_views(
    projections: Float[Tensor, "vb d"] | None,
    predictions: Float[Tensor, "vb d"] | None,
    targets: Float[Tensor, "target_vb d"] | None,
    batch: int,
    *,
    contrast: str,
    paired: bool,
) -> Compared:
    """Sorts what the networks made of the views of a batch.

    Args:
        projections: Online ones, view by view, if there are any.
        predictions: Those of the online network, likewise.
        targets: Projections of the target network; it may have seen more views.
        batch: Number of images.
        contrast: What is contrasted with what, see ``Contrast``.
        paired: Whether views ``2 i`` and ``2 i + 1`` show the same warp. If not, the
            first two are the pair, and the others, if any, negatives.
    """
    q, p, z = (
        None if x is None else _by_image(x, batch)
        for x in (projections, predictions, targets)
    )

    def pair(x: Float[Tensor, "b v d"] | None) -> Pair | None:
        if x is None:
            return None
        return (x[:, 0::2], x[:, 1::2]) if paired else (x[:, 0], x[:, 1])

    negatives = None
    online = contrast == Contrast.ONLINE
    source = q if online else z
    if not paired and source is not None and source.shape[1] > 2:
        negatives = source[:, 2:]
    return Compared(pair(q) if online else None, pair(p), pair(z), negatives)


def warped_and_not(
    features: Float[Tensor, "vb d"], batch: int, num_warps: int
) -> list[tuple[Float[Tensor, "b m d"], Float[Tensor, "b 1 d"]]]:
    """Pairs views of warps with views of the face as it is, for an ``ActionHead``.

    Each view has global parameters of its own. Of paired views, first ones go with
    second ones, which show another frame where neighbours are given; warps in one view
    each go with every view of the face.

    Args:
        features: Those of all views, view by view: of the face and its warps in two
            views each, of the face in two and its warps in one, or of all in one.
        batch: Number of images.
        num_warps: Number of warps of each, at least 1.

    Returns:
        Features of all warps and of the face, once for each pair.
    """
    x = _by_image(features, batch)
    unwarped = x.shape[1] - num_warps
    if x.shape[1] == 2 * (1 + num_warps):
        first, second = x[:, 0::2], x[:, 1::2]
        return [(second[:, 1:], first[:, :1]), (first[:, 1:], second[:, :1])]
    return [(x[:, unwarped:], x[:, i : i + 1]) for i in range(unwarped)]


def _by_image(x: Float[Tensor, "vb d"], batch: int) -> Float[Tensor, "b v d"]:
    """Turns what is view by view into image by image."""
    return x.reshape(-1, batch, x.shape[-1]).transpose(0, 1)
