"""Features of a frozen encoder for every image of a data set."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset
from torchvision.transforms.functional import pil_to_tensor

from contrawarp_edge.errors import InputError
from lightly_contrawarp.data.folders import FaceFolder
from lightly_contrawarp.data.labelled import LabelledFolder
from lightly_contrawarp.preprocess import preprocess

Encoder = Callable[[Tensor], Tensor]
_Item = tuple[Image.Image, int] | str
_Batch = tuple[Tensor | None, list[int], list[str]]


class Features(NamedTuple):
    """The features of a data set, in its order.

    Attributes:
        values: float32 of shape ``(N, D)``, as the encoder returns them.
        labels: int64 of shape ``(N,)``, the second entry of each item.
        unreadable: A line for each image that was left out because it could not be
            decoded; it names the file.
    """

    values: NDArray[np.float32]
    labels: NDArray[np.int64]
    unreadable: list[str]


def extract_features(
    encoder: Encoder,
    dataset: FaceFolder | LabelledFolder,
    *,
    input_size: int,
    batch_size: int = 256,
    workers: int = 0,
    device: torch.device | str = "cpu",
    on_progress: Callable[[int], None] | None = None,
) -> Features:
    """Runs an encoder over a data set, with the preprocessing of exported models.

    Args:
        encoder: Takes normalised float32 images ``(N, 3, input_size, input_size)``
            and returns ``(N, D)`` or ``(N, D, 1, 1)``. A module is moved to
            ``device`` and used in evaluation mode; its own mode is restored.
        dataset: Gives ``(RGB PIL image, integer)`` items: it has no transform.
        input_size: Side of the square that the encoder takes, in pixels.
        batch_size: Images in a batch.
        workers: Processes that decode images; 0 decodes in this one.
        device: Where the encoder runs.
        on_progress: Called after each batch with the number of images done so far.

    Returns:
        The features, the labels, and the images that were left out.

    Raises:
        InputError: If no image can be decoded, or the encoder returns numbers that
            are not finite.
    """
    loader: DataLoader[_Item] = DataLoader(
        _Attempts(dataset),
        batch_size=batch_size,
        num_workers=workers,
        collate_fn=partial(_collate, input_size=input_size),
    )
    was_training = isinstance(encoder, nn.Module) and encoder.training
    if isinstance(encoder, nn.Module):
        encoder.to(device).eval()
    chunks: list[NDArray[np.float32]] = []
    labels: list[int] = []
    unreadable: list[str] = []
    try:
        with torch.inference_mode():
            batch: _Batch
            for batch in loader:
                images, batch_labels, failures = batch
                if images is not None:
                    output = encoder(images.to(device)).flatten(1)
                    chunks.append(output.float().cpu().numpy())
                labels += batch_labels
                unreadable += failures
                if on_progress:
                    on_progress(len(labels) + len(unreadable))
    finally:
        if was_training:
            encoder.train()  # type: ignore[attr-defined]
    if not chunks:
        raise InputError(f"no readable image; the first: {unreadable[0]}")
    values = np.concatenate(chunks)
    if not np.isfinite(values).all():
        raise InputError(
            "the encoder returns NaN or infinite features; was it trained?"
        )
    return Features(values, np.asarray(labels, dtype=np.int64), unreadable)


class _Attempts(Dataset[_Item]):
    """The items of a data set, or a line on why one cannot be read."""

    def __init__(self, dataset: FaceFolder | LabelledFolder) -> None:
        self.dataset = dataset

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, index: int) -> _Item:
        try:
            return self.dataset[index]
        except InputError as error:
            return str(error)


def _collate(items: list[_Item], input_size: int) -> _Batch:
    # Resizing here, in the worker, lets a batch hold images of any size.
    pairs = [item for item in items if not isinstance(item, str)]
    images = [
        preprocess(pil_to_tensor(image).unsqueeze(0), input_size) for image, _ in pairs
    ]
    return (
        torch.cat(images) if images else None,
        [label for _, label in pairs],
        [item for item in items if isinstance(item, str)],
    )
