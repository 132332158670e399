"""From image files to trained weights: what the views cost end to end."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from lightly.transforms.utils import IMAGENET_NORMALIZE
from torch import Tensor
from torchvision.transforms.v2 import functional as TF

from benchmarks.speed.races.step import SIZE, OurStep, step_of
from benchmarks.speed.scale import Scale, worker_counts
from benchmarks.speed.table import BOUND, Growth, Part, Target, table_of_times
from benchmarks.speed.timing import Spread, Times, limited_threads, race, ratio
from lightly_contrawarp import ContraWarpCollate, ContraWarpTransform
from lightly_contrawarp.data.folders import ImageScan, scan_images
from lightly_contrawarp.data.synthetic import save_drawn_faces
from lightly_contrawarp.training.images import build_loader
from lightly_contrawarp.transforms.batch_transform import ContraWarpBatchTransform

PLAIN = "no augmentation: the image, as often as there are views"
DEVICE = "views on the device"
WORKERS = "views in the workers"
STEP = "the step alone, views in memory"
_VIEWS = 4


def measure(scale: Scale, device: str, data: Path | None) -> Part:
    """Races epochs over the same files: by workers, and by the size of drawn faces."""
    part = Part()
    most = worker_counts(scale.most_workers)[-1]
    with tempfile.TemporaryDirectory() as scratch:
        for side, workers in settings(scale, data):
            folder, what, growth = data, "the given images", []
            if folder is None:
                folder, what = Path(scratch) / str(side), f"drawn faces of {side} px"
                _draw(folder, scale.files * most, side)
            if data or side == scale.jpeg_sizes[0]:
                growth.append(Growth(what, "workers", workers))
            if not data and workers == most:
                growth.append(
                    Growth(f"{workers} workers", "side of a JPEG in pixels", side)
                )
            scan = _some(scan_images(folder).paths, scale.files * max(1, workers))
            with limited_threads(1 if scale.name == "smoke" else os.cpu_count() or 1):
                calls = contenders(scan, Path(scratch), scale, device, workers)
                times = race(
                    calls, seconds=scale.seconds, rounds=scale.rounds, device=device
                )
            images = len(scan.paths)
            part.tables.append(
                table_of_times(
                    f"{scale.files_backbone} at {SIZE} px, batches of "
                    f"{scale.files_batch} from {images:,} JPEG files ({what}), "
                    f"{_VIEWS} views, {workers} workers, all cores",
                    times, PLAIN, rate="images/s",
                    per=images // scale.files_batch * scale.files_batch,
                    extra=_waiting(times), roles={PLAIN: BOUND, STEP: BOUND},
                    growth=growth,
                )
            )  # fmt: skip
            if len(growth) == 2 or (data and workers == most):
                _judge(part, times)
    return part


def settings(scale: Scale, data: Path | None) -> list[tuple[int, int]]:
    """Sides of JPEG files, 0 for given ones, and workers.

    Files of one side are read with each number of workers, the others with the most.
    """
    counts = worker_counts(scale.most_workers)
    first, *others = (0,) if data else scale.jpeg_sizes
    return [(first, n) for n in counts] + [(side, counts[-1]) for side in others]


def _draw(folder: Path, count: int, side: int) -> None:
    if not folder.exists():
        save_drawn_faces(
            folder, count, num_identities=8, seed=0, size=side, labelled=False
        )


def _some(paths: Sequence[Path], count: int) -> ImageScan:
    """Files from all of a folder."""
    return ImageScan(list(paths[:: max(1, len(paths) // count)][:count]), [])


def _judge(part: Part, times: Times) -> None:
    best = min((DEVICE, WORKERS), key=lambda name: Spread.of(times[name]).median)
    share = ratio(times, PLAIN, DEVICE).median
    part.targets.append(
        Target(f"images/s with {DEVICE} / without augmentation", 0.9, True, share)
    )
    part.notes.append(f"Faster of the two with the most workers: {best}.")


def _waiting(times: dict[str, list[float]]) -> dict[str, dict[str, str]]:
    """Share of the time in which no step is computed."""
    return {
        name: {"not in a step": f"{max(0.0, 1 - ratio(times, STEP, name).median):.0%}"}
        for name in times
    }


def contenders(
    scan: ImageScan, scratch: Path, scale: Scale, device: str, workers: int
) -> dict[str, Callable[[], object]]:
    """An epoch with each way to make views."""
    transform, batch = ContraWarpTransform(SIZE), scale.files_batch
    decoding, viewing = (
        build_loader(
            scan, scratch / "skipped.tsv", input_size=SIZE, batch_size=batch,
            workers=workers, collate=collate,
        )
        for collate in (None, ContraWarpCollate(transform))
    )  # fmt: skip
    torch.manual_seed(0)
    model = OurStep(scale.files_backbone, input_size=SIZE)
    step = step_of(model, device)
    batched = ContraWarpBatchTransform(transform)
    resident = [torch.randn(batch, 3, SIZE, SIZE, device=device)] * _VIEWS
    actions = [torch.randn(batch, 1, len(model.actions), device=device)]

    def placed(loader: Any) -> Iterator[Any]:
        for content, _ in loader:
            if isinstance(content, Tensor):
                yield content.to(device, non_blocking=True)
            else:
                yield [view.to(device, non_blocking=True) for view in content]

    def plain(images: Tensor) -> list[Tensor]:
        view = TF.resize(images, [SIZE, SIZE]) / 255
        views = [TF.normalize(view, **IMAGENET_NORMALIZE)] * _VIEWS
        return views + [moved[: len(images)] for moved in actions]

    return {
        PLAIN: lambda: [step(plain(images)) for images in placed(decoding)],
        DEVICE: lambda: [step(batched(images)) for images in placed(decoding)],
        WORKERS: lambda: [step(views) for views in placed(viewing)],
        STEP: lambda: [step(resident + actions) for _ in range(len(decoding))],
    }
