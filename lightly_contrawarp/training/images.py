"""The images of a pre-training run: found, loaded, and listed where broken."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch.utils.data import DataLoader, Dataset
from torchvision.transforms import v2

from contrawarp_edge.core.errors import InputError
from contrawarp_edge.core.files import atomic_write_text
from contrawarp_edge.core.text import printable
from contrawarp_edge.inputs.images import read_skipped, skipped_line
from lightly_contrawarp.data.folders import (
    FaceFolder,
    ImageScan,
    SkippedFile,
    scan_images,
)
from lightly_contrawarp.data.frames import NeighbourFrames, SpreadTracks
from lightly_contrawarp.training.annotations import Guidance
from lightly_contrawarp.training.resources import check_workers
from lightly_contrawarp.transforms.collate import ContraWarpCollate
from lightly_contrawarp.transforms.colour.pixels import decoded_side


def find_images(folder: Path, devices: int = 1) -> ImageScan:
    """Scans a folder, and decodes images until it is clear that there are enough.

    Args:
        folder: Images, nested at will.
        devices: Number of devices that share the images.

    Returns:
        The images whose header is sound, and the files that are known to be broken.

    Raises:
        InputError: If there are too few images to train on.
    """
    scan = scan_images(folder)
    broken: list[SkippedFile] = []
    probe = FaceFolder(scan.paths, on_failure=broken.append)
    first = probe[0][1]
    if probe[(first + 1) % len(probe)][1] == first:
        raise InputError(f"{folder}: holds one readable image; at least 2 are needed")
    paths = [path for path in scan.paths if path not in probe.failed]
    if len(paths) < 2 * devices:
        raise InputError(
            f"{folder}: {len(paths)} images are too few for {devices} devices; "
            f"at least {2 * devices} are needed"
        )
    return ImageScan(paths, scan.skipped + broken, scan.others)


def build_loader(
    scan: ImageScan,
    skipped: Path,
    *,
    input_size: int,
    batch_size: int,
    workers: int,
    devices: int = 1,
    collate: ContraWarpCollate | None = None,
    guidance: Guidance | None = None,
    seed: int = 0,
) -> DataLoader[Any]:
    """Loads shuffled batches of ``(uint8 [b, 3, s, s], indices)``.

    With ``guidance`` they are batches of ``FaceItem``; if it has neighbours, of
    ``FramePair``, in an order that keeps the frames of a track apart.

    Args:
        scan: The images.
        skipped: List to which files that cannot be decoded are appended.
        input_size: Height and width of the views to come; ``s`` is a little larger.
        batch_size: Images a batch; fewer if a device has fewer.
        workers: Processes that decode, and make the views if that is asked for.
        devices: Number of devices that share the images.
        collate: Makes the views of each batch, for batches of ``(views, indices)``
            instead.
        guidance: What is known about the images.
        seed: Decides the order of images that have neighbours. With several devices
            Lightning shuffles it once more.

    Raises:
        InputError: If the machine lacks what workers need.
    """
    check_workers(workers)
    side = decoded_side(input_size)
    steps = [v2.Resize((side, side)), v2.PILToTensor()]
    landmarks = guidance.landmarks if guidance else None
    images = FaceFolder(
        scan.paths, v2.Compose(steps), partial(append_skipped, skipped), landmarks
    )
    dataset: Dataset[Any] = images
    sampler = None
    if guidance and guidance.neighbours:
        dataset = NeighbourFrames(images, guidance.neighbours)
        sampler = SpreadTracks(guidance.tracks, seed)
    return DataLoader(
        dataset,
        batch_size=min(batch_size, len(scan.paths) // devices),
        shuffle=sampler is None,
        sampler=sampler,
        drop_last=True,
        collate_fn=collate,
        num_workers=workers,
        persistent_workers=workers > 0,
        pin_memory=torch.cuda.is_available(),
    )


def write_skipped(skipped: Path, scan: ImageScan) -> None:
    """Writes the list of broken files: a path, a tab and a reason on each line."""
    lines = (skipped_line(file.path, file.reason) for file in scan.skipped)
    atomic_write_text(skipped, "".join(lines))


def with_failures(scan: ImageScan, skipped: Path) -> ImageScan:
    """Moves the files that loaders listed from the images to the broken files."""
    reasons = read_skipped(skipped)
    result = ImageScan([], list(scan.skipped), scan.others)
    for path in scan.paths:
        if reason := reasons.get(printable(path)):
            result.skipped.append(SkippedFile(path, reason))
        else:
            result.paths.append(path)
    return result


def append_skipped(skipped: Path, file: SkippedFile) -> None:
    """Appends a file to the list of those that are broken."""
    # Each worker appends what it finds; short lines are written in one piece.
    with skipped.open("a", encoding="utf-8") as lines:
        lines.write(skipped_line(file.path, file.reason))
