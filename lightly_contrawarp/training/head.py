"""The embedding head of a run: fitted to its images, and kept in its checkpoint."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float32
from PIL import Image
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset
from torchvision.transforms import v2

from contrawarp_edge.core.progress import Progress
from lightly_contrawarp.data.folders import FaceFolder, SkippedFile
from lightly_contrawarp.models.checkpoint import HEAD_KEY, load_backbone
from lightly_contrawarp.models.embedding.fitting import MAX_IMAGES, fit_embedding_head
from lightly_contrawarp.models.embedding.head import EmbeddingHead
from lightly_contrawarp.training.lightning import AtomicCheckpointIO
from lightly_contrawarp.training.resources import check_workers
from lightly_contrawarp.transforms.batch_items import FaceItem
from lightly_contrawarp.transforms.colour.pixels import decoded_side

BATCH_SIZE = 256
"""Images at a time, unless fewer are wanted."""


def keep_head(
    checkpoint: Path,
    paths: Sequence[Path],
    dim: int,
    *,
    on_failure: Callable[[SkippedFile], None],
    landmarks: Float32[Tensor, "n p 2"] | None = None,
    batch_size: int = BATCH_SIZE,
    workers: int = 0,
    device: torch.device | str = "cpu",
) -> EmbeddingHead:
    """Fits a head to the encoder of a checkpoint, and adds it there.

    Args:
        checkpoint: The file, which is replaced in one step.
        paths: See `fit_to_files`, as for the others.
        dim: Components to keep.
        on_failure: Called for each file that cannot be decoded.
        landmarks: Of the images.
        batch_size: Images at a time.
        workers: Processes that decode.
        device: Where the encoder runs.

    Raises:
        InputError: See `fit_to_files`; the checkpoint is left as it was.
    """
    backbone, info = load_backbone(checkpoint)
    head = fit_to_files(
        backbone.to(device),
        info.input_size,
        paths,
        dim,
        on_failure=on_failure,
        landmarks=landmarks,
        batch_size=batch_size,
        workers=workers,
    )
    content = torch.load(checkpoint, map_location="cpu", weights_only=True)
    AtomicCheckpointIO().save_checkpoint(
        {**content, HEAD_KEY: head.state_dict()}, checkpoint
    )
    return head


def fit_to_files(
    backbone: nn.Module,
    input_size: int,
    paths: Sequence[Path],
    dim: int,
    *,
    on_failure: Callable[[SkippedFile], None],
    landmarks: Float32[Tensor, "n p 2"] | None = None,
    batch_size: int = BATCH_SIZE,
    workers: int = 0,
) -> EmbeddingHead:
    """Fits a head to an encoder and image files; see `fit_to_images`.

    Args:
        backbone: See `fit_to_images`, as for the others.
        input_size: Side of the images that it takes, in pixels.
        paths: Image files.
        dim: Components to keep.
        on_failure: Called for each file that cannot be decoded, in the process that
            tried.
        landmarks: Of each image, where actions are placed.
        batch_size: Images at a time.
        workers: Processes that decode.

    Raises:
        InputError: See `fit_to_images`.
    """
    return fit_to_images(
        backbone,
        input_size,
        FaceFolder(paths, on_failure=on_failure).read,
        len(paths),
        dim,
        landmarks=landmarks,
        batch_size=batch_size,
        workers=workers,
    )


def fit_to_images(
    backbone: nn.Module,
    input_size: int,
    read: Callable[[int], Image.Image | None],
    number: int,
    dim: int,
    *,
    landmarks: Float32[Tensor, "n p 2"] | None = None,
    batch_size: int = BATCH_SIZE,
    workers: int = 0,
) -> EmbeddingHead:
    """Fits a head to an encoder; progress goes to standard error.

    Args:
        backbone: The encoder; it runs where it is.
        input_size: Side of the images that it takes, in pixels.
        read: Decodes the image at a position, or gives None; it can be pickled.
        number: Images that there are, of which at most `MAX_IMAGES` are taken, evenly
            spread.
        dim: Components to keep.
        landmarks: Of each image, where actions are placed; the contract's by default.
        batch_size: Images at a time.
        workers: Processes that decode.

    Raises:
        InputError: If no head can be fitted, see `fit_embedding_head`; or the machine
            lacks what workers need.
    """
    check_workers(workers)
    count = min(number, MAX_IMAGES)
    # In random order: in a folder by class or person, the first ones are no sample.
    generator = torch.Generator().manual_seed(0)
    shuffled = torch.randperm(count, generator=generator)
    places = [place * number // count for place in shuffled.tolist()]
    loader: DataLoader[Any] = DataLoader(
        _Readable(read, places, decoded_side(input_size)),
        batch_size,
        num_workers=workers,
        collate_fn=partial(_stacked, landmarks=landmarks),
    )
    progress = Progress(count)
    try:
        batches = (batch for batch in loader if batch is not None)
        return fit_embedding_head(
            backbone, batches, input_size, dim, on_progress=progress.update
        )
    finally:
        progress.clear()


class _Readable(Dataset[tuple[Tensor | None, int]]):
    """Images at some places; none for one that cannot be decoded."""

    def __init__(
        self,
        read: Callable[[int], Image.Image | None],
        places: Sequence[int],
        side: int,
    ) -> None:
        self.read = read
        self.places = places
        self.transform = v2.Compose([v2.Resize((side, side)), v2.PILToTensor()])

    def __len__(self) -> int:
        return len(self.places)

    def __getitem__(self, index: int) -> tuple[Tensor | None, int]:
        place = self.places[index]
        image = self.read(place)
        return None if image is None else self.transform(image), place


def _stacked(
    items: list[tuple[Tensor | None, int]],
    landmarks: Float32[Tensor, "n p 2"] | None,
) -> Tensor | FaceItem | None:
    readable = [(image, place) for image, place in items if image is not None]
    if not readable:
        return None
    images = torch.stack([image for image, _ in readable])
    if landmarks is None:
        return images
    places = [place for _, place in readable]
    return FaceItem(images, places[0], landmarks[places])
