import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from torch import nn

from contrawarp_edge.errors import InputError
from lightly_contrawarp.data.labelled import LabelledFolder
from lightly_contrawarp.evaluation.evaluate import (
    EvaluationSettings,
    evaluate,
    format_table,
)

COLOURS = {"happy": (220, 30, 30), "sad": (30, 220, 30), "angry": (30, 30, 220)}
SETTINGS = EvaluationSettings(input_size=8, batch_size=7, seeds=(0, 1))


def _coloured(root: Path, names: tuple[str, ...], count: int) -> LabelledFolder:
    rng = np.random.default_rng(len(root.name))
    for name in names:
        (root / name).mkdir(parents=True)
        for index in range(count):
            noise = rng.integers(-30, 30, (8, 8, 3))
            pixels = np.clip(noise + COLOURS[name], 0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(root / name / f"{index}.png")
    return LabelledFolder(root)


@pytest.fixture
def train(tmp_path: Path) -> LabelledFolder:
    return _coloured(tmp_path / "train", ("happy", "sad", "angry"), 10)


def test_evaluate__end_to_end(tmp_path: Path, train: LabelledFolder) -> None:
    # Without "happy", the numbers of its classes differ from those of train.
    test = _coloured(tmp_path / "test", ("sad", "angry"), 4)
    Path(test.names[0]).write_bytes(b"no image")
    done: list[int] = []
    result = evaluate(
        nn.AdaptiveAvgPool2d(1), train, test, SETTINGS, on_progress=done.append
    )
    result = json.loads(json.dumps(result))
    assert result["linear_probe"]["accuracy"] == 1
    assert result["linear_probe"]["feature_size"] == 3
    assert [run["seed"] for run in result["linear_probe"]["runs"]] == [0, 1]
    assert [(knn["k"], knn["k_used"]) for knn in result["knn"]] == [
        *((5, 5), (20, 20), (200, 30))
    ]
    assert result["knn"][0]["scores"]["accuracy"] == 1
    assert result["classes"] == ["happy", "sad", "anger"]
    assert result["train"]["images"] == 30
    assert result["test"]["images_by_class"] == {"sad": 3, "anger": 4}
    assert len(result["test"]["unreadable"]) == 1
    assert result["settings"]["seeds"] == [0, 1]
    assert set(result["versions"]) >= {"torch", "lightly", "scikit-learn"}
    assert done == sorted(done)
    assert done[-1] == 38


def test_evaluate__test_class_that_train_lacks(
    tmp_path: Path, train: LabelledFolder
) -> None:
    test = _coloured(tmp_path / "test", ("sad", "angry"), 1)
    with pytest.raises(InputError, match="happy is not among the classes of"):
        evaluate(nn.AdaptiveAvgPool2d(1), test, train, SETTINGS)


def test_format_table(train: LabelledFolder) -> None:
    result = evaluate(nn.AdaptiveAvgPool2d(1), train, train, SETTINGS)
    lines = format_table({"a.ckpt": result, "resnet18, random": result}).splitlines()
    assert len({len(line) for line in lines}) == 1
    assert lines[0].split("  ")[0] == "encoder"
    assert lines[0].endswith("kNN 5  kNN 20  kNN 200")
    assert "100.0 ± 0.0" in lines[1]
