"""Views per second: Lightly's BYOL transform, ours per image, ours per batch."""

from __future__ import annotations

import os
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

from benchmarks.speed.scale import Scale
from benchmarks.speed.table import Part, Target, table_of_times
from benchmarks.speed.timing import limited_threads, race, ratio
from lightly_contrawarp import ContraWarpTransform, ContraWarpViewTransform
from lightly_contrawarp.batch_transform import ContraWarpBatchTransform
from lightly_contrawarp.data.drawn_faces import DrawnFaces

_SIZE = 112
_SOURCE = 125
LIGHTLY = "Lightly BYOLTransform"
OURS = "ContraWarpBatchTransform"
_MANY_WORKERS = 16


def measure(scale: Scale, device: str) -> Part:
    """Races in one process, and with the workers of a data loader."""
    part = Part()
    faces = [image for image, _ in DrawnFaces(scale.images, 8, size=_SOURCE)]  # type: ignore[attr-defined]
    workers = min(_MANY_WORKERS, os.cpu_count() or 1)
    limits: dict[str, Any] = {
        "seconds": scale.seconds, "rounds": scale.rounds, "device": device
    }  # fmt: skip
    with limited_threads(1):
        batch = faces[: max(scale.batches)]
        times = race(in_process(batch, device), **limits)
        where = "one core" if device == "cpu" else "one core, or the GPU"
        part.tables.append(
            table_of_times(f"Two views of an image, {where}", times, LIGHTLY,
                           per=2 * len(batch), rate="views/s")
        )  # fmt: skip
    with limited_threads(os.cpu_count() or 1):
        times = race(with_workers(faces, workers, device), **limits)
    part.tables.append(
        table_of_times(f"Two views of an image, {workers} workers or all cores", times,
                       LIGHTLY, per=2 * len(faces), rate="views/s")
    )  # fmt: skip
    if device == "cuda":
        part.targets.append(
            Target(f"{OURS} / {LIGHTLY} with {workers} workers", 10, True,
                   ratio(times, LIGHTLY, OURS).median)
        )  # fmt: skip
    return part


def in_process(
    faces: Sequence[Image.Image], device: str
) -> dict[str, Callable[[], object]]:
    """Calls that make two views, and with a warp four, of each face."""
    lightly, ours, warped = transforms()
    pixels = torch.stack([pil_to_tensor(face) for face in faces]).to(device)
    batched, batched_warped = map(ContraWarpBatchTransform, (ours, warped))
    return {
        LIGHTLY: lambda: [lightly(face) for face in faces],
        "ContraWarpTransform": lambda: [ours(face) for face in faces],
        OURS: lambda: batched(pixels),
        f"{OURS}, time for two of its four views with K=1": (
            lambda: batched_warped(pixels[: len(pixels) // 2])
        ),
    }


def with_workers(
    faces: Sequence[Image.Image], workers: int, device: str
) -> dict[str, Callable[[], object]]:
    """Calls that make two views of each face, in batches."""
    lightly, ours, _ = transforms()
    size = min(64, len(faces))
    loaders = {
        name: DataLoader(
            _Faces(faces, transform), size, num_workers=workers,
            persistent_workers=True, pin_memory=device == "cuda",
        )
        for name, transform in ((LIGHTLY, lightly), ("ContraWarpTransform", ours))
    }  # fmt: skip
    pixels = torch.stack([pil_to_tensor(face) for face in faces]).to(device)
    batched = ContraWarpBatchTransform(ours)

    def epoch(loader: DataLoader[list[Tensor]]) -> None:
        for views in loader:
            for view in views:
                view.to(device, non_blocking=True)

    return {
        **{name: lambda loader=x: epoch(loader) for name, x in loaders.items()},  # type: ignore[misc]
        OURS: lambda: [batched(part) for part in torch.split(pixels, size)],
    }


def transforms() -> tuple[BYOLTransform, ContraWarpTransform, ContraWarpTransform]:
    """BYOL's views by Lightly and by us, and ours with a warp: the same settings."""
    first: dict[str, Any] = {"input_size": _SIZE, "gaussian_blur": 1.0}
    second: dict[str, Any] = {
        "input_size": _SIZE, "gaussian_blur": 0.1, "solarization_prob": 0.2
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
        return self.transform(self.faces[index])
