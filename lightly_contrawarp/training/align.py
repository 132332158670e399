"""Cutting faces out of photographs before they are trained on."""

from __future__ import annotations

from pathlib import Path

from contrawarp_edge.align.folder import AlignOutcome, align_into
from contrawarp_edge.align.rules import Rules
from contrawarp_edge.core.errors import InputError
from contrawarp_edge.core.progress import Progress
from contrawarp_edge.inputs.images import SKIPPED_TSV, iter_images
from lightly_contrawarp.data.folders import ImageScan, SkippedFile, images_below


def align_folder(folder: Path, target: Path, size: int) -> ImageScan:
    """Cuts the largest face out of each image of a folder; what is done stays done.

    Args:
        folder: Images, nested at will.
        target: Where the crops go, nested likewise.
        size: Height and width of the crops in pixels.

    Returns:
        What was not used: images, and files of other kinds.

    Raises:
        InputError: If no face can be used, or there is no detector.
    """
    paths, others = images_below(folder)
    progress = Progress(len(paths))

    def show(outcome: AlignOutcome) -> None:
        progress.update(outcome.photos)

    outcome = align_into(target, paths, Rules(size=size), show, roots=[folder])
    progress.clear()
    if next(iter_images(target), None) is None:
        raise InputError(
            f"{folder}: none of {outcome.photos} images has a face that can be used; "
            f"see {target / SKIPPED_TSV}"
        )
    skipped = [SkippedFile(Path(path), reason) for path, reason in outcome.skipped]
    return ImageScan([], skipped, others)
