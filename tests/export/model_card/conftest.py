"""An evaluation as contrawarp evaluate writes it."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from torch import nn

from lightly_contrawarp.data.labelled import LabelledFolder
from lightly_contrawarp.evaluation.compare import compare
from lightly_contrawarp.evaluation.encoders.encoders import TorchEncoder
from lightly_contrawarp.evaluation.settings import EvaluationSettings

COLOURS = {"happy": (220, 30, 30), "sad": (30, 220, 30), "angry": (30, 30, 220)}


@pytest.fixture(scope="session")
def evaluated(tmp_path_factory: pytest.TempPathFactory) -> str:
    rng = np.random.default_rng(0)
    root = tmp_path_factory.mktemp("labelled")
    for part in ("train", "test"):
        for label, colour in COLOURS.items():
            folder = root / part / label
            folder.mkdir(parents=True)
            for index in range(10):
                noise = rng.integers(-90, 90, (8, 8, 3))
                pixels = np.clip(noise + colour, 0, 255).astype(np.uint8)
                Image.fromarray(pixels).save(folder / f"{index}.png")
    encoders = {
        name: TorchEncoder(nn.AdaptiveAvgPool2d(size), 8, kind=kind)
        for name, size, kind in (
            ("mine.ckpt", 1, "checkpoint"),
            ("other.ckpt", 2, "checkpoint"),
            ("small, random", 4, "random"),
        )
    }
    parts = (LabelledFolder(root / part) for part in ("train", "test"))
    comparison = compare(encoders, *parts, EvaluationSettings(seeds=(0, 1)))
    return json.dumps(comparison.results.to_dict())


@pytest.fixture
def evaluation(evaluated: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(evaluated)
    return content


@pytest.fixture
def evaluation_file(evaluated: str, tmp_path: Path) -> Path:
    path = tmp_path / "evaluation.json"
    path.write_text(evaluated)
    return path
