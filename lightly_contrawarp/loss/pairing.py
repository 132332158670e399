"""Which views are contrasted with which, from the outputs of both networks."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor

from lightly_contrawarp.loss.contrawarp_loss import ContraWarpLoss, LossTerms
from lightly_contrawarp.loss.cosines import Pair
from lightly_contrawarp.loss.settings import Contrast


def number_of_views(num_negatives: int, paired: bool) -> int:
    """Views of each image: two of the face, one or two of each of its warps."""
    return 2 + num_negatives * (1 + paired)


def loss_of_views(
    criterion: ContraWarpLoss,
    outputs: tuple[
        Float[Tensor, "vb d"],
        Float[Tensor, "vb d"] | None,
        Float[Tensor, "target_vb d"] | None,
    ],
    batch: int,
    *,
    contrast: str,
    paired: bool,
) -> LossTerms:
    """Computes the loss of what the networks made of the views of a batch.

    Args:
        criterion: The loss.
        outputs: Online projections, predictions and projections of the target network,
            each view by view; the last two may be ``None``. The target network may
            have seen more views.
        batch: Number of images.
        contrast: What is contrasted with what, see ``Contrast``.
        paired: Whether each warped face, of which there is one at least, comes in two
            views.
    """
    q, p, z = (None if x is None else _by_image(x, batch) for x in outputs)
    assert q is not None

    def pair(x: Float[Tensor, "b v d"] | None) -> Pair | None:
        if x is None:
            return None
        return (x[:, 0::2], x[:, 1::2]) if paired else (x[:, 0], x[:, 1])

    negatives = None
    online = contrast == Contrast.ONLINE
    source = q if online else z
    if not paired and source is not None and source.shape[1] > 2:
        negatives = source[:, 2:]
    return criterion.terms(pair(q) if online else None, pair(p), pair(z), negatives)


def _by_image(x: Float[Tensor, "vb d"], batch: int) -> Float[Tensor, "b v d"]:
    """Turns what is view by view into image by image."""
    return x.reshape(-1, batch, x.shape[-1]).transpose(0, 1)
