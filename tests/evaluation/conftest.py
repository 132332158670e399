"""Small labelled sets and encoders for the tests of the evaluation."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from torch import nn

from helpers import MakeSet
from lightly_contrawarp.data.labelled import LabelledFolder
from lightly_contrawarp.evaluation.encoders.encoders import TorchEncoder

COLOURS = {"happy": (220, 30, 30), "sad": (30, 220, 30), "angry": (30, 30, 220)}
PERSON = r"person(\d+)_"


@pytest.fixture
def make_set(tmp_path: Path) -> MakeSet:
    """Folders of noisy images, with a colour for each class."""

    def make(
        name: str,
        count: int,
        classes: tuple[str, ...] = tuple(COLOURS),
        people: int | None = None,
    ) -> LabelledFolder:
        rng = np.random.default_rng(len(name))
        for label in classes:
            folder = tmp_path / name / label
            folder.mkdir(parents=True)
            for index in range(count):
                noise = rng.integers(-30, 30, (8, 8, 3))
                pixels = np.clip(noise + COLOURS[label], 0, 255).astype(np.uint8)
                who = f"person{index % people}_" if people else ""
                Image.fromarray(pixels).save(folder / f"{who}{index}.png")
        return LabelledFolder(
            tmp_path / name, identity_pattern=PERSON if people else None
        )

    return make


@pytest.fixture
def encoder() -> TorchEncoder:
    """Reads the mean colour of 8 x 8 pixels."""
    return TorchEncoder(nn.AdaptiveAvgPool2d(1), 8, source="mean colour")
