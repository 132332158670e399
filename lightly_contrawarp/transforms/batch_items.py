"""What a batch of a data loader holds, and which of it goes to the device."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from jaxtyping import Float, Float32
from torch import Tensor, nn


def views_of(
    batch: Any, transform: nn.Module | None
) -> Sequence[Float[Tensor, "b 3 s s"] | Float[Tensor, "b m a"]]:
    """The views of a batch, and then what the warps did, as the transform lists them.

    Args:
        batch: That list, or a tuple or list whose first item is that list.
            With a transform, images, or a tuple or list whose first item is images;
            of a ``FaceItem`` or ``FramePair``, landmarks and neighbours are used too.
        transform: Makes the views; the data loader did, if ``None``.
    """
    views: Sequence[Float[Tensor, "b 3 s s"] | Float[Tensor, "b m a"]]
    if transform is None:
        views = batch if isinstance(batch[0], Tensor) else batch[0]
    elif isinstance(batch, FaceItem | FramePair):
        image, _, *others = batch
        views = transform(image, *others)
    else:
        views = transform(batch if isinstance(batch, Tensor) else batch[0])
    return views


def keep_landmarks(batch: Any, moved: Any) -> Any:
    """A batch that was moved to a device, except for its landmarks.

    Warps are drawn on the CPU.
    """
    if isinstance(batch, FaceItem | FramePair):
        return moved._replace(landmarks=batch.landmarks)
    return moved


class FaceItem(NamedTuple):
    """An image with its landmarks.

    Attributes:
        image: The image, or what a transform made of it.
        position: Place in ``paths`` of the file that was read.
        landmarks: Fractions of the image in the order of ``FACE_CROP``.
    """

    image: Any
    position: int
    landmarks: Float32[Tensor, "*b p 2"]


class FramePair(NamedTuple):
    """An image and a neighbour of it.

    Attributes:
        image: The image.
        position: Its place in the folder's ``paths``.
        landmarks: Those of both, as in ``FaceItem``.
        neighbour: Another frame of the same track, or the image itself.
    """

    image: Any
    position: int
    landmarks: Float32[Tensor, "*b 2 p 2"]
    neighbour: Any
