"""Features of a frozen encoder for every image of a data set."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple, Protocol

import numpy as np
from jaxtyping import Shaped
from numpy.typing import NDArray
from PIL import Image
from torch.utils.data import DataLoader, Dataset

from contrawarp_edge.core.errors import InputError
from lightly_contrawarp.evaluation.encoders.encoders import Encoder, OnnxEncoder
from lightly_contrawarp.evaluation.statistics.near_duplicates import thumbnail
from lightly_contrawarp.training.resources import check_workers, explained_resources

_Item = Image.Image | str


class ImageSet(Protocol):
    """A data set whose items begin with an RGB ``PIL.Image``.

    Taking an item that cannot be decoded raises `InputError`.
    """

    def __len__(self) -> int:
        """Number of items."""

    def __getitem__(self, index: int, /) -> tuple[Any, int]:
        """An image and a number."""


class Features(NamedTuple):
    """The features of a data set, in its order.

    Attributes:
        values: As the encoder returns them.
        rows: Their positions in the data set.
        thumbnails: Small grey pictures of the images, without pixels if they were not
            asked for; see `near_duplicates`.
        unreadable: A line for each image that was left out because it could not be
            decoded; it names the file.
        scores: Probabilities of the classes of an exported model, float32; None for
            an encoder without.
    """

    values: Shaped[NDArray[np.float32], "n d"]
    rows: Shaped[NDArray[np.int64], " n"]
    thumbnails: Shaped[NDArray[np.uint8], "n pixels"]
    unreadable: list[str]
    scores: Shaped[NDArray[np.float32], "n classes"] | None = None


def extract_features(
    encoder: Encoder,
    dataset: ImageSet,
    *,
    batch_size: int = 256,
    workers: int = 0,
    thumbnails: bool = False,
    on_progress: Callable[[int], None] | None = None,
) -> Features:
    """Runs an encoder over a data set, with the preprocessing of exported models.

    Args:
        encoder: What to run.
        dataset: The images; it has no transform.
        batch_size: Images in a batch.
        workers: Processes that decode images; 0 decodes in this one.
        thumbnails: Whether to make them.
        on_progress: Called after each batch with the number of images done so far.

    Returns:
        The features, and the images that were left out.

    Raises:
        InputError: If no image can be decoded, the encoder returns numbers that are
            not finite, or the machine lacks what workers need.
    """
    check_workers(workers)
    loader: DataLoader[_Item] = DataLoader(
        _Attempts(dataset),
        batch_size=batch_size,
        num_workers=workers,
        collate_fn=partial(
            _collate, prepare=encoder.prepare, picture=thumbnail if thumbnails else None
        ),
    )
    chunks: list[NDArray[np.float32]] = []
    scores: list[NDArray[np.float32]] = []
    pictures: list[NDArray[np.uint8]] = []
    readable: list[bool] = []
    unreadable: list[str] = []
    with explained_resources("lower --batch-size, or take a smaller model"):
        for batch, small, read, failures in loader:
            if batch is not None and isinstance(encoder, OnnxEncoder):
                outputs = encoder.run(batch)
                chunks.append(outputs.embeddings)
                scores.append(outputs.scores)
            elif batch is not None:
                chunks.append(encoder.embed(batch))
            pictures += small
            readable += read
            unreadable += failures
            if on_progress:
                on_progress(len(readable))
    if not chunks:
        raise InputError(f"no readable image; the first: {unreadable[0]}")
    values = np.concatenate(chunks)
    if not np.isfinite(values).all():
        raise InputError(
            f"{encoder.info.source}: returns NaN or infinite features; was it trained?"
        )
    return Features(
        values,
        np.flatnonzero(readable),
        np.stack(pictures),
        unreadable,
        np.concatenate(scores) if scores and scores[0].shape[1] else None,
    )


class _Attempts(Dataset[_Item]):
    """The images of a data set, or a line on why one cannot be read."""

    def __init__(self, dataset: ImageSet) -> None:
        self.dataset = dataset

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, index: int) -> _Item:
        try:
            image: Image.Image = self.dataset[index][0]
            return image
        except InputError as error:
            return str(error)


def _collate(
    items: list[_Item],
    prepare: Callable[[list[Image.Image]], Any],
    picture: Callable[[Image.Image], NDArray[np.uint8]] | None,
) -> tuple[Any, list[NDArray[np.uint8]], list[bool], list[str]]:
    # Preparing here, in the worker, lets a batch hold images of any size.
    images = [item for item in items if not isinstance(item, str)]
    return (
        prepare(images) if images else None,
        [picture(image) if picture else np.empty(0, np.uint8) for image in images],
        [not isinstance(item, str) for item in items],
        [item for item in items if isinstance(item, str)],
    )
