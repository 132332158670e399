"""``ContraWarpCollate``: the views of a batch, made by the worker that loads it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Shaped
from PIL import Image
from torch import Tensor
from torch.utils.data import default_collate
from torchvision.transforms.v2 import functional as TF

from lightly_contrawarp.transforms.batch_items import FaceItem, FramePair, views_of
from lightly_contrawarp.transforms.batch_transform import ContraWarpBatchTransform
from lightly_contrawarp.transforms.colour.pixels import batch_of_one, decoded_side
from lightly_contrawarp.transforms.contrawarp_transform import ContraWarpTransform


class ContraWarpCollate:
    """Makes the views of a whole batch at once: a ``collate_fn`` for a ``DataLoader``.

    For data sets that return images as they are. The views are those of
    ``ContraWarpBatchTransform``, distributed like those of a `ContraWarpTransform` that
    a data set applies to each image, and several times faster. They are drawn from the
    generator that the loader seeds in each worker, so that a seed decides all of them.

    Examples:
        >>> from PIL import Image
        >>> from lightly_contrawarp import ContraWarpTransform
        >>> collate = ContraWarpCollate(ContraWarpTransform(input_size=32))
        >>> faces = [(Image.new("RGB", (40, 40)), n, f"{n}.jpg") for n in range(4)]
        >>> (*views, actions), numbers, names = collate(faces)
        >>> len(views), views[0].shape, numbers.tolist()
        (4, torch.Size([4, 3, 32, 32]), [0, 1, 2, 3])
    """

    def __init__(self, transform: ContraWarpTransform) -> None:
        """Takes the settings of the per-image transform."""
        self.batch_transform = ContraWarpBatchTransform(transform)

    def __call__(self, items: Sequence[Any]) -> tuple[Any, ...]:
        """Makes one batch.

        Args:
            items: Images, or tuples whose first item is one: PIL images, or tensors as
                `ContraWarpTransform` takes them. If they differ in size, all are
                resized to squares somewhat larger than the views.

        Returns:
            A tuple of the list that `ContraWarpBatchTransform` returns, and of the
            other items of the tuples, each collated as a loader does by default.

        Raises:
            InputError: If an image has another shape, type or range.
        """
        first = items[0]
        if isinstance(first, FaceItem | FramePair):
            batch = default_collate(list(items))
            return views_of(batch, self.batch_transform), batch.position
        if isinstance(first, Tensor | Image.Image):
            return (self.batch_transform(self._stacked(items)),)
        images, *others = zip(*items, strict=True)
        views = self.batch_transform(self._stacked(images))
        return (views, *(default_collate(list(column)) for column in others))

    def _stacked(
        self, images: Sequence[Image.Image | Shaped[Tensor, "c h w"]]
    ) -> Shaped[Tensor, "b c s s"]:
        pixels = [batch_of_one(image) for image in images]
        if len({one.shape[-2:] for one in pixels}) > 1:
            views = self.batch_transform.transform.transforms
            side = decoded_side(max(view.settings.input_size for view in views))
            pixels = [TF.resize(one, [side, side]) for one in pixels]
        channels = max(one.shape[1] for one in pixels)
        return torch.cat([one.expand(-1, channels, -1, -1) for one in pixels])
