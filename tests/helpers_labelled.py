"""Labelled images that a network can tell apart, for tests of commands."""

from pathlib import Path

import numpy as np
from PIL import Image

COLOURS = {"angry": (200, 60, 60), "happy": (60, 200, 60), "Sad": (60, 60, 200)}


def write_labelled(root: Path, counts: dict[str, int], side: int = 48) -> Path:
    """Writes ``root/CLASS/*.png`` of noise with a tint for each class."""
    rng = np.random.default_rng(len(counts))
    for name, count in counts.items():
        (root / name).mkdir(parents=True)
        for number in range(count):
            noise = rng.integers(-60, 60, (side, side, 3))
            pixels = np.clip(noise + COLOURS[name], 0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(root / name / f"{number}.png")
    return root
