"""What tests of the quality benchmark share."""

from pathlib import Path

import numpy as np
import torch
from PIL import Image

from benchmarks.quality.images import Images
from benchmarks.quality.plan import Scale, Sources

TINY = Scale("tiny", "small", 48, 8, 1e-3, 1, 1, 1, 1, None, 40, 2)
CLASSES = ("happy", "neutral")


def images(count: int = 16) -> Images:
    generator = torch.Generator().manual_seed(0)
    pixels = torch.randint(
        0, 256, (count, 1, 48, 48), dtype=torch.uint8, generator=generator
    )
    return Images(pixels, torch.arange(count) % 2, CLASSES)


def folders(root: Path, seed: int = 0) -> Sources:
    """FER2013 and photographs of people, both of noise."""
    rng = np.random.default_rng(seed)

    def draw(path: Path, side: int) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (side, side), dtype=np.uint8)).save(path)

    for name in CLASSES:
        for part, count in (("train", 30), ("validation", 10)):
            for index in range(count):
                draw(root / part / name / f"{index}.png", 48)
        for person in range(8):
            draw(root / "people" / name / f"id{person:03}_0.png", 60)
    return Sources(root, root / "people", root / "people")
