"""Time that models need for an image, measured side by side."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from contrawarp_edge import Embedder

BATCHES = (1, 32)
THREADS = 1
_MIN_ROUNDS = 15
_SECONDS = 3.0


@dataclass(frozen=True)
class Speed:
    """Time for an image in batches of one size, by two models in turn.

    Attributes:
        batch: Images in a batch.
        rounds: Number of batches that each model was timed on.
        reference_ms: Median milliseconds for an image, reference model.
        other_ms: The same of the other model.
        ratio: How many times faster the other model is: median over the rounds.
    """

    batch: int
    rounds: int
    reference_ms: float
    other_ms: float
    ratio: float


def measure_speed(
    reference: Path, other: Path, image: NDArray[np.uint8]
) -> list[Speed]:
    """Times two models in turn, so that a busy machine slows both of them down.

    Args:
        reference: One exported model.
        other: Another.
        image: uint8 ``(H, W, 3)``; an image of the models' own input size leaves
            little to resize.

    Returns:
        An entry for each size in `BATCHES`; each model runs on `THREADS` threads.
    """
    models = [
        Embedder(path, batch_size=max(BATCHES), threads=THREADS)
        for path in (reference, other)
    ]
    return [_race(models, [image] * batch) for batch in BATCHES]


def _race(models: Sequence[Embedder], images: list[NDArray[np.uint8]]) -> Speed:
    rounds: list[list[float]] = []
    for model in models:
        model.embed(images)  # the first run plans its memory
    end = time.perf_counter() + _SECONDS
    while len(rounds) < _MIN_ROUNDS or time.perf_counter() < end:
        rounds.append([_milliseconds(model, images) for model in models])
    times = np.array(rounds) / len(images)
    reference, other = np.median(times, axis=0)
    return Speed(
        batch=len(images),
        rounds=len(rounds),
        reference_ms=float(reference),
        other_ms=float(other),
        ratio=float(np.median(times[:, 0] / times[:, 1])),
    )


def _milliseconds(model: Embedder, images: list[NDArray[np.uint8]]) -> float:
    start = time.perf_counter()
    model.embed(images)
    return 1000 * (time.perf_counter() - start)
