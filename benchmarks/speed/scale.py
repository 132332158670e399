"""How large the benchmark is."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Scale:
    """Sizes of all parts.

    Attributes:
        name: Identifier.
        seconds: How long the rounds of a race go on.
        rounds: Fewest rounds of a race.
        sizes: Sides in pixels of the images to warp.
        batches: Batches of images to warp, and of views.
        images: Images of an epoch through a data loader.
        step_backbone: Encoder of the step.
        step_batch: Images of a step.
        files_backbone: Encoder of the run on files.
        files_batch: Images of a step of that run.
        files: Image files of that run.
        models: Encoders that are exported.
        started: Fresh processes of each kind.
        rows: Sizes of galleries.
        ann_rows: Size of the gallery with an approximate index; 0 for none.
    """

    name: str
    seconds: float
    rounds: int
    sizes: tuple[int, ...]
    batches: tuple[int, ...]
    images: int
    step_backbone: str
    step_batch: int
    files_backbone: str
    files_batch: int
    files: int
    models: tuple[str, ...]
    started: int
    rows: tuple[int, ...]
    ann_rows: int


MODELS = ("resnet18", "mobilenet_v3_small")

SCALES = {
    scale.name: scale
    for scale in (
        Scale(
            "smoke", 0.01, 2, (32,), (2,), 8, "small", 4, "small", 4, 8,
            ("mobilenet_v3_small",), 1, (300, 600), 0,
        ),
        Scale(
            "cpu", 5, 5, (112, 224), (1, 64, 256), 256, "resnet18", 16,
            "mobilenet_v3_small", 32, 128, MODELS, 5, (10_000, 100_000, 1_000_000),
            200_000,
        ),
        Scale(
            "cuda", 5, 7, (112, 224), (1, 64, 256), 4096, "resnet18", 256,
            "resnet18", 256, 8192, (), 0, (), 0,
        ),
    )
}  # fmt: skip
"""``smoke`` shows that everything runs; the others are chosen by the device."""
