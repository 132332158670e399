"""How far the embeddings of two models agree."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Shaped
from numpy.typing import NDArray

from contrawarp_edge import Embedder
from contrawarp_edge.core.errors import InputError
from lightly_contrawarp.evaluation.statistics.arrays import Floats
from lightly_contrawarp.evaluation.statistics.intervals import (
    Estimate,
    bootstrap_interval,
)
from lightly_contrawarp.evaluation.statistics.neighbours import (
    cosine_blocks,
    precision_at,
)
from lightly_contrawarp.export.int8.calibration import MIN_IMAGES

NEAREST = 10
"""Number of nearest images that are compared."""


@dataclass(frozen=True)
class Agreement:
    """What becomes of a search when one model takes the place of another.

    Attributes:
        images: Number of images that were searched with each other.
        nearest: Number of nearest images that were compared.
        overlap: Share of an image's nearest ones that both models find, mean over the
            images. Each model searches among embeddings of its own.
        mean_cosine: Mean cosine of the two embeddings of an image. It is close to 1
            long before searches agree, so it is for information only.
        lowest_cosine: The lowest of these cosines.
    """

    images: int
    nearest: int
    overlap: Estimate
    mean_cosine: float
    lowest_cosine: float


def measure_agreement(
    reference: Embedder,
    other: Embedder,
    paths: Sequence[Path],
    *,
    on_progress: Callable[[int], None] = lambda done: None,
) -> tuple[Agreement, list[str]]:
    """Embeds images with both models and compares the results.

    Args:
        reference: One model.
        other: The other.
        paths: Image files; those that cannot be used are left out.
        on_progress: Called now and then with the number of images that have been
            embedded so far, those of both models added up.

    Returns:
        The agreement, and a line for each image that was left out.

    Raises:
        InputError: If fewer than `MIN_IMAGES` can be used.
    """
    unreadable: dict[Path, str] = {}
    embedded: list[dict[Path, NDArray[np.float32]]] = []
    for position, embedder in enumerate((reference, other)):
        vectors: dict[Path, NDArray[np.float32]] = {}
        done = position * len(paths)
        for batch in embedder.embed_files(paths):
            vectors.update(zip(batch.paths, batch.embeddings, strict=True))
            unreadable.update(batch.failed)
            done += len(batch.paths) + len(batch.failed)
            on_progress(done)
        embedded.append(vectors)
    lines = [f"{path}: {why}" for path, why in unreadable.items()]
    usable = [path for path in paths if path not in unreadable]
    if len(usable) < MIN_IMAGES:
        raise InputError(
            f"only {len(usable)} images to compare models on can be used, and "
            f"{MIN_IMAGES} are needed; the first problem: "
            + (lines[0] if lines else "none")
        )
    first, second = (np.stack([one[path] for path in usable]) for one in embedded)
    shared = neighbour_overlap(first, second, NEAREST)
    cosines = (first.astype(np.float64) * second).sum(axis=1)
    agreement = Agreement(
        images=len(usable),
        nearest=NEAREST,
        overlap=Estimate(
            float(shared.mean()),
            bootstrap_interval(shared),
            chance=NEAREST / (len(usable) - 1),
        ),
        mean_cosine=float(cosines.mean()),
        lowest_cosine=float(cosines.min()),
    )
    return agreement, lines


def neighbour_overlap(
    first: Shaped[Floats, "n d"], second: Shaped[Floats, "n d2"], k: int
) -> Shaped[NDArray[np.float64], " n"]:
    """The share of an image's k nearest other images that two embeddings agree on.

    Args:
        first: Embeddings of images.
        second: Other embeddings of the same images.
        k: At least 1 and less than ``n``.

    Returns:
        A value from 0 to 1 for each image.
    """
    shares = []
    blocks = zip(cosine_blocks(first), cosine_blocks(second), strict=True)
    for (_, wanted), (_, scores) in blocks:
        nearest = np.zeros(wanted.shape, dtype=bool)
        best = np.argpartition(wanted, -k, axis=1)[:, -k:]
        np.put_along_axis(nearest, best, True, axis=1)
        shares.append(precision_at(k, scores, nearest))
    return np.concatenate(shares)
