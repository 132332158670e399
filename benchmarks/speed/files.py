"""From image files to trained weights: what the views cost end to end."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torchvision.transforms.v2 import functional as TF

from benchmarks.speed.scale import Scale
from benchmarks.speed.step import SIZE, OurStep, step_of
from benchmarks.speed.table import Part, Target, table_of_times
from benchmarks.speed.timing import Spread, limited_threads, race, ratio
from lightly_contrawarp import ContraWarpTransform
from lightly_contrawarp.batch_transform import ContraWarpBatchTransform
from lightly_contrawarp.data.drawn_faces import save_drawn_faces
from lightly_contrawarp.data.folders import ImageScan, scan_images
from lightly_contrawarp.training_images import build_loader

PLAIN = "no augmentation: the image, as often as there are views"
DEVICE = "views on the device"
WORKERS = "views in the workers"
STEP = "the step alone, views in memory"
_VIEWS = 4
_MOST_WORKERS = 16


def measure(scale: Scale, device: str, data: Path | None) -> Part:
    """Races epochs over the same files."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = data
        if folder is None:
            folder = Path(scratch) / "faces"
            save_drawn_faces(
                folder, scale.files, num_identities=8, seed=0, size=160, labelled=False
            )
        scan = scan_images(folder)
        paths = scan.paths[:: max(1, len(scan.paths) // scale.files)][: scale.files]
        cores = os.cpu_count() or 1
        with limited_threads(1 if scale.name == "smoke" else cores):
            calls = contenders(
                ImageScan(paths, []), Path(scratch), scale,
                device, min(cores, _MOST_WORKERS),
            )  # fmt: skip
            times = race(
                calls, seconds=scale.seconds, rounds=scale.rounds, device=device
            )
    images = len(paths) // scale.files_batch * scale.files_batch
    what = "drawn faces" if data is None else "the given images"
    part = Part()
    title = (
        f"{scale.files_backbone} at {SIZE} px, batches of {scale.files_batch} from "
        f"{len(paths):,} JPEG files ({what}), {_VIEWS} views, all {cores} cores"
    )
    part.tables.append(
        table_of_times(
            title, times, PLAIN, per=images, rate="images/s", extra=_waiting(times)
        )
    )
    best = min((DEVICE, WORKERS), key=lambda name: Spread.of(times[name]).median)
    share = ratio(times, PLAIN, DEVICE).median
    part.targets.append(
        Target(f"images/s with {DEVICE} / without augmentation", 0.9, True, share)
    )
    part.notes.append(f"Faster of the two on this device: {best}.")
    return part


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
    transform = ContraWarpTransform(SIZE)
    loader_of: Any = lambda transform: build_loader(  # noqa: E731
        scan, scratch / "skipped.tsv", input_size=SIZE, batch_size=scale.files_batch,
        workers=workers, transform=transform,
    )  # fmt: skip
    decoding, viewing = loader_of(None), loader_of(transform)
    torch.manual_seed(0)
    model = OurStep(scale.files_backbone, input_size=SIZE, channels_last=True)
    step = step_of(model, device)
    batched = ContraWarpBatchTransform(transform)
    resident = [torch.randn(scale.files_batch, 3, SIZE, SIZE, device=device)] * _VIEWS

    def placed(loader: Any) -> Iterator[Any]:
        for content, _ in loader:
            if isinstance(content, Tensor):
                yield content.to(device, non_blocking=True)
            else:
                yield [view.to(device, non_blocking=True) for view in content]

    def plain(images: Tensor) -> list[Tensor]:
        view = TF.resize(images, [SIZE, SIZE]) / 255
        assert batched.normalize is not None
        view = TF.normalize(view, batched.normalize["mean"], batched.normalize["std"])
        return [view] * _VIEWS

    return {
        PLAIN: lambda: [step(plain(images)) for images in placed(decoding)],
        DEVICE: lambda: [step(batched(images)) for images in placed(decoding)],
        WORKERS: lambda: [step(views) for views in placed(viewing)],
        STEP: lambda: [step(resident) for _ in range(len(decoding))],
    }
