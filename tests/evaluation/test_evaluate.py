import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from torch import nn

from contrawarp_edge.core.errors import InputError
from helpers import MakeSet
from lightly_contrawarp.data.labelled import LabelledFolder
from lightly_contrawarp.data.sets import FecFace, FecTriplets
from lightly_contrawarp.data.synthetic import (
    ACTIONS,
    IDENTITY_PATTERN,
    save_drawn_faces,
)
from lightly_contrawarp.evaluation.compare import compare
from lightly_contrawarp.evaluation.encoders.encoders import TorchEncoder
from lightly_contrawarp.evaluation.encoders.feature_cache import FeatureCache
from lightly_contrawarp.evaluation.evaluate import EvaluationSettings, evaluate
from lightly_contrawarp.evaluation.measures.fine_tuning import FineTuneSettings
from lightly_contrawarp.evaluation.splits import common_space

SETTINGS = EvaluationSettings(batch_size=7, seeds=(0, 1), few_label=True)


def test_compare__end_to_end(make_set: MakeSet, encoder: TorchEncoder) -> None:
    # Without "happy", the numbers of its classes differ from those of train.
    train = make_set("train", 10)
    test = make_set("test", 4, classes=("sad", "angry"), people=3)
    Path(test.names[0]).write_bytes(b"no image")
    comparison = compare({"colour": encoder}, train, test, SETTINGS)
    content = json.loads(json.dumps(comparison.to_dict(), allow_nan=False))

    result = content["encoders"]["colour"]
    assert result["linear_probe"]["accuracy"] == 1
    assert result["linear_probe"]["feature_size"] == result["dim"] == 3
    assert [run["seed"] for run in result["linear_probe"]["runs"]] == [0, 1]
    assert [(knn["k"], knn["k_used"]) for knn in result["knn"]] == [
        *((5, 5), (20, 20), (200, 30))
    ]
    assert result["knn"][0]["scores"]["accuracy"] == 1
    assert result["retrieval"]["precision_at_1"]["value"] == 1
    assert result["retrieval_other_people"]["queries"] == 7
    assert result["identity"]["people"] == 3
    assert [few["images"] for few in result["few_label"]] == [6, 6]
    assert result["omitted"] == {}
    assert "fine_tuning" not in result
    assert "actions" not in result
    assert result["encoder"]["source"] == "mean colour"

    assert content["data"]["classes"] == ["happy", "sad", "anger"]
    assert content["data"]["train"]["images"] == 30
    assert content["data"]["train"]["people"] is None
    assert content["data"]["test"]["images_by_class"] == {
        **{"happy": 0, "sad": 3, "anger": 4}
    }
    assert content["data"]["test"]["people"] == 3
    assert len(content["data"]["unreadable"]) == 1
    assert content["settings"]["seeds"] == [0, 1]
    assert content["settings"]["temperature"] == 0.07
    assert set(content["versions"]) >= {"python", "torch", "lightly", "scikit-learn"}


def test_evaluate__progress_and_cache(
    make_set: MakeSet, encoder: TorchEncoder, tmp_path: Path
) -> None:
    parts = common_space(make_set("train", 10), make_set("test", 3))
    done: list[int] = []
    stages: list[str] = []
    cache = FeatureCache(tmp_path / "cache")
    options = {"cache": cache, "on_progress": done.append, "say": stages.append}
    first = evaluate(encoder, *parts, EvaluationSettings(), **options)  # type: ignore[arg-type]
    assert done == [30, 39]
    assert stages == ["linear probe", "knn", "retrieval"]
    again = evaluate(encoder, *parts, EvaluationSettings(), **options)  # type: ignore[arg-type]
    assert again.result == first.result
    assert len(list(cache.folder.iterdir())) == 2


def test_evaluate__says_what_the_data_are_too_few_for(
    make_set: MakeSet, encoder: TorchEncoder
) -> None:
    train, test = make_set("train", 3), make_set("test", 1, people=1)
    comparison = compare({"colour": encoder}, train, test, EvaluationSettings())
    omitted = comparison.results["colour"]["omitted"]
    assert omitted.keys() == {"retrieval", "retrieval_other_people", "identity"}
    assert omitted["retrieval"] == "retrieval needs two images of a class"
    with pytest.raises(InputError, match="two training images each"):
        compare({"colour": encoder}, test, test, EvaluationSettings())


def test_evaluate__drawn_faces_bring_their_actions(tmp_path: Path) -> None:
    sets = []
    for name, seed in (("train", 1), ("test", 2)):
        save_drawn_faces(
            tmp_path / name, 70, num_identities=7, seed=seed, size=16, labelled=True
        )
        sets.append(LabelledFolder(tmp_path / name, identity_pattern=IDENTITY_PATTERN))
    encoder = TorchEncoder(nn.Sequential(nn.AdaptiveAvgPool2d(4), nn.Flatten()), 16)
    comparison = compare({"pixels": encoder}, *sets, EvaluationSettings(seeds=(0,)))
    actions = comparison.results["pixels"]["actions"]
    assert list(actions["targets"]) == list(ACTIONS)
    values = [target["value"] for target in actions["targets"].values()]
    assert actions["mean"]["value"] == pytest.approx(np.mean(values))
    assert comparison.results["pixels"]["identity"]["people"] == 7


def test_common_space__bad_sets(make_set: MakeSet) -> None:
    train, test = make_set("train", 2), make_set("test", 2, classes=("sad", "angry"))
    with pytest.raises(InputError, match="happy is not among the classes of"):
        common_space(test, train)


def test_common_space__numbers_as_in_train(make_set: MakeSet) -> None:
    train = make_set("train", 2)
    test = make_set("test", 2, classes=("angry", "sad"), people=2)
    _, part = common_space(train, test)
    assert part.classes == ["happy", "sad", "anger"]
    assert part.labels.tolist() == [1, 1, 2, 2]
    assert part.people is not None
    assert part.people.tolist() == [0, 1, 0, 1]
    assert part.actions is None
    chosen = part.take(np.array([1, 3])).take(np.array([1]))
    assert (chosen.rows.tolist(), chosen.labels.tolist()) == ([3], [2])
    assert chosen.people is not None
    assert chosen.people.tolist() == [1]


def test_compare__exported_models_are_not_fine_tuned(
    make_set: MakeSet, encoder: TorchEncoder
) -> None:
    settings = EvaluationSettings(fine_tuning=FineTuneSettings(epochs=1))
    images = make_set("train", 3)
    with pytest.raises(InputError, match=r"model\.onnx: an exported model cannot"):
        compare({"model.onnx": object()}, images, images, settings)  # type: ignore[dict-item]


def test_evaluate__triplets(
    make_set: MakeSet, encoder: TorchEncoder, tmp_path: Path
) -> None:
    images = make_set("train", 3)
    shades = [(250, 0, 0), (240, 10, 10), (0, 250, 0), (0, 0, 250)]
    faces = []
    for index, shade in enumerate(shades):
        path = tmp_path / f"{index}.png"
        Image.new("RGB", (20, 20), shade).save(path)
        faces.append(FecFace(path, (0.0, 0.0, 1.0, 1.0)))
    faces.append(FecFace(tmp_path / "missing.png", (0.0, 0.0, 1.0, 1.0)))
    comparisons = FecTriplets(
        faces=faces,
        triplets=np.array([[0, 1, 2], [3, 0, 1], [0, 3, 1], [0, 1, 4], [2, 3, 0]]),
        odd=np.array([2, 0, 0, 2, -1]),
        kinds=["ONE_CLASS_TRIPLET"] * 5,
        annotations=[(0,)] * 5,
        missing=0,
    )
    comparison = compare(
        {"colour": encoder}, images, images, EvaluationSettings(), triplets=comparisons
    )
    result = comparison.results["colour"]["triplets"]
    # One has a face that cannot be read, one has no majority, and one is wrong.
    assert (result["triplets"], result["undecided"]) == (3, 1)
    assert result["accuracy"]["value"] == pytest.approx(2 / 3)
