"""What a batch of a data loader holds, and which of it goes to the device."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn

from lightly_contrawarp.data.folders import FaceItem
from lightly_contrawarp.data.tracks import FramePair


def views_of(batch: Any, transform: nn.Module | None) -> Sequence[Tensor]:
    """The views of a batch.

    Args:
        batch: The list of views, or a tuple or list whose first item is that list.
            With a transform, images, or a tuple or list whose first item is images;
            of a ``FaceItem`` or ``FramePair``, landmarks and neighbours are used too.
        transform: Makes the views; the data loader did, if ``None``.
    """
    views: Sequence[Tensor]
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
