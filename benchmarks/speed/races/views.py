"""Views per second: Lightly's BYOL transform, ours per image, ours per batch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from lightly.transforms.byol_transform import (
    BYOLTransform,
    BYOLView1Transform,
    BYOLView2Transform,
)
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader, Dataset
from torchvision.transforms.v2.functional import pil_to_tensor

from benchmarks.speed.scale import Scale, middle, worker_counts
from benchmarks.speed.table import OTHER, Growth, Part, Table, Target, table_of_times
from benchmarks.speed.timing import Times, limited_threads, race, ratio
from lightly_contrawarp import (
    ContraWarpCollate,
    ContraWarpTransform,
    ContraWarpViewTransform,
)
from lightly_contrawarp.data.synthetic import DrawnFaces
from lightly_contrawarp.transforms.batch_transform import ContraWarpBatchTransform
from lightly_contrawarp.transforms.colour.pixels import decoded_side

LIGHTLY = "Lightly BYOLTransform"
OURS = "ContraWarpBatchTransform"
_ALONE = "ContraWarpTransform"
_COLLATED = "ContraWarpCollate"
_WARPED = f"{OURS}, time for two of its four views with K=1"
_RATE = "views/s"


def measure(scale: Scale, device: str) -> Part:
    """Races in one process, and with the workers of a data loader."""
    part = Part()
    slower, collated = [], []
    for side, batch in settings(scale):
        with limited_threads(1):
            times = _race(in_process(decoded(batch, side), side, device), scale, device)
        times[_WARPED] = [seconds / 2 for seconds in times[_WARPED]]
        slower.append(ratio(times, _ALONE, LIGHTLY).median)
        part.tables.append(_table_in_process(scale, side, batch, device, times))
    for workers in worker_counts(scale.most_workers)[1:]:
        count = workers * scale.images
        side, batch = middle(scale.sizes), min(64, count)
        with limited_threads(workers):
            calls = with_workers(decoded(count, side), side, batch, workers, device)
            times = _race(calls, scale, device)
        collated.append(ratio(times, LIGHTLY, _COLLATED).median)
        part.tables.append(
            table_of_times(
                f"Two views of an image at {side} px, batches of {batch}, workers or "
                f"threads: {workers}",
                times, LIGHTLY, per=2 * count, rate=_RATE, roles={LIGHTLY: OTHER},
                growth=[Growth(f"{side} px", "workers or threads", workers)],
            )
        )  # fmt: skip
    if device == "cpu":
        part.targets += [
            Target(f"{_ALONE} / {LIGHTLY}, time, most of all settings", 0.8, False,
                   max(slower)),
            Target(f"{_COLLATED} / {LIGHTLY}, views/s of one worker", 3, True,
                   collated[0]),
        ]  # fmt: skip
    if device == "cuda":
        part.targets.append(
            Target(f"{OURS} / {LIGHTLY} with {workers} workers", 10, True,
                   ratio(times, LIGHTLY, OURS).median)
        )  # fmt: skip
    return part


def settings(scale: Scale) -> list[tuple[int, int]]:
    """Sides and batches: all batches at one side, one batch at all sides."""
    by_batch = {(middle(scale.sizes), batch) for batch in scale.batches}
    return sorted(by_batch | {(side, middle(scale.batches)) for side in scale.sizes})


def decoded(count: int, side: int) -> list[Image.Image]:
    """Faces as training decodes them for views of a side."""
    faces = DrawnFaces(count, min(8, count), size=decoded_side(side))
    return [faces[index][0] for index in range(count)]


def _race(calls: dict[str, Callable[[], object]], scale: Scale, device: str) -> Times:
    return race(calls, seconds=scale.seconds, rounds=scale.rounds, device=device)


def _table_in_process(
    scale: Scale, side: int, batch: int, device: str, times: Times
) -> Table:
    growth = []
    if side == middle(scale.sizes):
        growth.append(Growth(f"one core, {side} px", "images a batch", batch))
    if batch == middle(scale.batches):
        growth.append(Growth(f"one core, batches of {batch}", "side in pixels", side))
    where = "one core" if device == "cpu" else "one core, or the GPU"
    return table_of_times(
        f"Two views of an image at {side} px, batches of {batch}, {where}",
        times, LIGHTLY, per=2 * batch, rate=_RATE, roles={LIGHTLY: OTHER},
        growth=growth,
    )  # fmt: skip


def in_process(
    faces: Sequence[Image.Image], side: int, device: str
) -> dict[str, Callable[[], object]]:
    """Calls that make two views, and with a warp four, of each face."""
    lightly, ours, warped = transforms(side)
    pixels = torch.stack([pil_to_tensor(face) for face in faces]).to(device)
    batched, batched_warped = map(ContraWarpBatchTransform, (ours, warped))
    return {
        LIGHTLY: lambda: [lightly(face) for face in faces],
        _ALONE: lambda: [ours(face) for face in faces],
        OURS: lambda: batched(pixels),
        _WARPED: lambda: batched_warped(pixels),
    }


def with_workers(
    faces: Sequence[Image.Image], side: int, batch: int, workers: int, device: str
) -> dict[str, Callable[[], object]]:
    """Calls that make two views of each face, in batches."""
    lightly, ours, _ = transforms(side)
    loaders = {
        name: DataLoader(
            _Faces(faces, transform), batch, num_workers=workers, collate_fn=collate,
            persistent_workers=True, pin_memory=device == "cuda",
        )
        for name, transform, collate in (
            (LIGHTLY, lightly, None),
            (_ALONE, ours, None),
            (_COLLATED, None, ContraWarpCollate(ours)),
        )
    }  # fmt: skip
    pixels = torch.stack([pil_to_tensor(face) for face in faces]).to(device)
    batched = ContraWarpBatchTransform(ours)

    def epoch(loader: DataLoader[list[Tensor]]) -> None:
        for batch in loader:
            # Beside the views, a collate function returns what else items hold.
            for view in batch[0] if isinstance(batch, tuple) else batch:
                view.to(device, non_blocking=True)

    return {
        **{name: lambda loader=x: epoch(loader) for name, x in loaders.items()},  # type: ignore[misc]
        OURS: lambda: [batched(part) for part in torch.split(pixels, batch)],
    }


def transforms(
    side: int,
) -> tuple[BYOLTransform, ContraWarpTransform, ContraWarpTransform]:
    """BYOL's views by Lightly and by us, and ours with a warp: the same settings."""
    first: dict[str, Any] = {"input_size": side, "gaussian_blur": 1.0}
    second: dict[str, Any] = {
        "input_size": side, "gaussian_blur": 0.1, "solarization_prob": 0.2
    }  # fmt: skip
    lightly = BYOLTransform(BYOLView1Transform(**first), BYOLView2Transform(**second))
    same: dict[str, Any] = {"min_scale": 0.08, "rr_prob": 0.0}
    ours = [
        ContraWarpTransform(
            num_negatives=count,
            view_1_transform=ContraWarpViewTransform(**first, **same),
            view_2_transform=ContraWarpViewTransform(**second, **same),
        )
        for count in (0, 1)
    ]
    return lightly, ours[0], ours[1]


class _Faces(Dataset[Any]):
    """Decoded faces and a transform."""

    def __init__(self, faces: Sequence[Image.Image], transform: Any) -> None:
        self.faces, self.transform = faces, transform

    def __len__(self) -> int:
        return len(self.faces)

    def __getitem__(self, index: int) -> Any:
        face = self.faces[index]
        return face if self.transform is None else self.transform(face)
