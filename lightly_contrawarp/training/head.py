"""The embedding head of a run: fitted to its images, and kept in its checkpoint."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset
from torchvision.transforms import v2

from contrawarp_edge.core.progress import Progress
from lightly_contrawarp.data.folders import FaceFolder, SkippedFile
from lightly_contrawarp.models.checkpoint import HEAD_KEY, load_backbone
from lightly_contrawarp.models.embedding.fitting import MAX_IMAGES, fit_embedding_head
from lightly_contrawarp.models.embedding.head import EmbeddingHead
from lightly_contrawarp.training.images import decoded_side
from lightly_contrawarp.training.lightning import AtomicCheckpointIO
from lightly_contrawarp.training.resources import check_workers

_BATCH = 256


def keep_head(
    checkpoint: Path,
    paths: Sequence[Path],
    dim: int,
    *,
    on_failure: Callable[[SkippedFile], None],
    workers: int = 0,
    device: torch.device | str = "cpu",
) -> EmbeddingHead:
    """Fits a head to the encoder of a checkpoint, and adds it there.

    Args:
        checkpoint: The file, which is replaced in one step.
        paths: See `fit_to_files`, as for the others.
        dim: Components to keep.
        on_failure: Called for each file that cannot be decoded.
        workers: Processes that decode.
        device: Where the encoder runs.

    Raises:
        InputError: See `fit_to_files`; the checkpoint is left as it was.
    """
    backbone, info = load_backbone(checkpoint)
    head = fit_to_files(
        *(backbone.to(device), info.input_size, paths, dim),
        on_failure=on_failure,
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
    workers: int = 0,
) -> EmbeddingHead:
    """Fits a head to an encoder; progress goes to standard error.

    Args:
        backbone: The encoder; it runs where it is.
        input_size: Side of the images that it takes, in pixels.
        paths: Image files, of which at most `MAX_IMAGES` are taken, evenly spread.
        dim: Components to keep.
        on_failure: Called for each file that cannot be decoded, in the process that
            tried.
        workers: Processes that decode.

    Raises:
        InputError: If no head can be fitted, see `fit_embedding_head`; or the machine
            lacks what workers need.
    """
    check_workers(workers)
    count = min(len(paths), MAX_IMAGES)
    side = decoded_side(input_size)
    folder = FaceFolder(
        [paths[place * len(paths) // count] for place in range(count)],
        v2.Compose([v2.Resize((side, side)), v2.PILToTensor()]),
        on_failure,
    )
    loader: DataLoader[Any] = DataLoader(
        _Readable(folder), _BATCH, num_workers=workers, collate_fn=_stacked
    )
    progress = Progress(count)
    try:
        return fit_embedding_head(
            *(backbone, filter(len, loader), input_size, dim),
            on_progress=progress.update,
        )
    finally:
        progress.clear()


class _Readable(Dataset[Tensor | None]):
    """The images of a folder; none in the place of one that cannot be decoded."""

    def __init__(self, folder: FaceFolder) -> None:
        self.folder = folder

    def __len__(self) -> int:
        return len(self.folder)

    def __getitem__(self, index: int) -> Tensor | None:
        return self.folder.read(index)


def _stacked(images: list[Tensor | None]) -> Tensor:
    readable = [image for image in images if image is not None]
    return torch.stack(readable) if readable else torch.empty(0)
