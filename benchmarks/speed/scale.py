"""How large the benchmark is."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Scale:
    """Sizes of all parts.

    Attributes:
        name: Identifier.
        seconds: How long the rounds of a race go on.
        rounds: Fewest rounds of a race.
        sizes: Sides in pixels of the images to warp, and of views.
        batches: Batches of images to warp, and of views.
        images: Images that each worker of a data loader makes views of.
        most_workers: Most workers of a data loader.
        step_backbone: Encoder of the step.
        step_batches: Images of a step.
        negatives: Numbers of warped faces of each image; 1 is one of them.
        files_backbone: Encoder of the run on files.
        files_batch: Images of a step of that run.
        files: Image files of an epoch of that run, for each worker.
        jpeg_sizes: Sides in pixels of the files; the first is read with each number
            of workers.
        models: Encoders that are exported.
        model_batches: Images of a call of these.
        started_models: Encoders that are started in a fresh process.
        started: Fresh processes of each kind.
        rows: Sizes of galleries.
        ann_rows: Sizes of galleries with an approximate index.
    """

    name: str
    seconds: float
    rounds: int
    sizes: tuple[int, ...]
    batches: tuple[int, ...]
    images: int
    most_workers: int
    step_backbone: str
    step_batches: tuple[int, ...]
    negatives: tuple[int, ...]
    files_backbone: str
    files_batch: int
    files: int
    jpeg_sizes: tuple[int, ...]
    models: tuple[str, ...]
    model_batches: tuple[int, ...]
    started_models: tuple[str, ...]
    started: int
    rows: tuple[int, ...]
    ann_rows: tuple[int, ...]


def worker_counts(most: int) -> list[int]:
    """Numbers of workers: none, doublings of one, and as many as there are cores."""
    most = min(most, os.cpu_count() or 1)
    return [0, *(2**n for n in range(most.bit_length()) if 2**n < most), most]


def middle(values: Sequence[int]) -> int:
    """The one that stays when another size grows."""
    return values[len(values) // 2]


_MODELS = ("resnet18", "mobilenet_v3_small")

SCALES = {
    scale.name: scale
    for scale in (
        Scale(
            "smoke", 0.0, 1, (32, 64), (1, 2), 4, 1, "small", (2, 4), (0, 1),
            "small", 4, 4, (32, 64), ("small",), (1, 2), ("small",), 1, (300, 600), (),
        ),
        Scale(
            "cpu", 3, 5, (56, 112, 224), (1, 8, 64, 256), 128, 16,
            "resnet18", (2, 4, 8, 16), (0, 1, 2, 4),
            "mobilenet_v3_small", 16, 48, (160, 640),
            _MODELS, (1, 2, 4, 8, 16, 32), (*_MODELS, "resnet50"), 4,
            (1_000, 10_000, 100_000, 1_000_000), (200_000, 400_000),
        ),
        Scale(
            "cuda", 3, 7, (56, 112, 224), (1, 8, 64, 256), 256, 16,
            "resnet18", (32, 64, 128, 256), (0, 1, 2, 4),
            "resnet18", 256, 512, (160, 320), (), (), (), 0, (), (),
        ),
    )
}  # fmt: skip
"""``smoke`` shows that everything runs; the others are chosen by the device."""
