import json
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from torch import nn

from contrawarp_edge.core.errors import InputError
from helpers import MakeSet
from lightly_contrawarp.data.labelled import LabelledImages
from lightly_contrawarp.data.sets import FecFace, FecTriplets, open_folder
from lightly_contrawarp.data.synthetic import (
    ACTIONS,
    IDENTITY_PATTERN,
    save_drawn_faces,
)
from lightly_contrawarp.evaluation.compare import compare
from lightly_contrawarp.evaluation.encoders.encoders import TorchEncoder
from lightly_contrawarp.evaluation.measures.registry import SEARCH_MEASURES
from lightly_contrawarp.evaluation.overlap import OverlapFacts
from lightly_contrawarp.evaluation.progress import EvaluationProgress
from lightly_contrawarp.evaluation.settings import EvaluationSettings, FineTuneSettings
from lightly_contrawarp.evaluation.statistics.near_duplicates import near_duplicates

evaluate_module = import_module("lightly_contrawarp.evaluation.evaluate")
SETTINGS = EvaluationSettings(batch_size=7, seeds=(0, 1), few_label=True)


def test_compare__end_to_end(make_set: MakeSet, encoder: TorchEncoder) -> None:
    # Without "happy", the numbers of its classes differ from those of train.
    train = make_set("train", 10)
    test = make_set("test", 4, classes=("sad", "angry"), people=3)
    Path(test.names[0]).write_bytes(b"no image")
    comparison = compare({"colour": encoder}, train, test, SETTINGS)
    content = json.loads(json.dumps(comparison.results.to_dict(), allow_nan=False))

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
    assert content["data"]["overlap"] == {
        **{"near_duplicates": 0, "same_person": None, "without_neighbours": 0}
    }
    assert content["settings"]["seeds"] == [0, 1]
    assert content["settings"]["temperature"] == 0.07
    assert set(content["versions"]) >= {"python", "torch", "lightly", "scikit-learn"}


def test_compare__says_what_the_data_are_too_few_for(
    make_set: MakeSet, encoder: TorchEncoder
) -> None:
    train, test = make_set("train", 3), make_set("test", 1, people=1)
    comparison = compare({"colour": encoder}, train, test, EvaluationSettings())
    omitted = comparison.results.encoders["colour"].omitted
    assert omitted.keys() == {"retrieval", *SEARCH_MEASURES} - {"recognition"}
    assert omitted["retrieval"] == "retrieval needs two images of a class"
    with pytest.raises(InputError, match="two training images each"):
        compare({"colour": encoder}, test, test, EvaluationSettings())


def test_compare__looks_once_for_what_sets_share(
    make_set: MakeSet, encoder: TorchEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked: list[int] = []

    def counted(test: Any, train: Any) -> Any:
        looked.append(len(test))
        return near_duplicates(test, train)

    monkeypatch.setattr(evaluate_module, "near_duplicates", counted)
    images = make_set("train", 3, people=1)
    encoders = {"one": encoder, "two": TorchEncoder(nn.AdaptiveAvgPool2d(2), 8)}
    comparison = compare(encoders, images, images, EvaluationSettings())
    assert looked == [9]
    assert comparison.results.data is not None
    assert comparison.results.data.overlap == OverlapFacts(
        near_duplicates=9, same_person=81, without_neighbours=9
    )
    for result in comparison.results.encoders.values():
        assert result.measures["knn"][0].scores.accuracy == 0


def test_compare__bad_sets_are_one_error(
    make_set: MakeSet, encoder: TorchEncoder
) -> None:
    def message(train: Any = None, test: Any = None, **sets: Any) -> str:
        encoders = sets.pop("encoders", {"colour": encoder})
        with pytest.raises(InputError) as caught:
            compare(encoders, train, test, EvaluationSettings(), **sets)
        return str(caught.value)

    images = make_set("train", 2, people=2)
    empty = LabelledImages("mine", Path("nothing"), [])
    assert message() == message(searched={}) != ""
    assert "give train and test, or sets to search" in message()
    for one in (images, empty):
        assert "train is given without test" in message(one, searched={"a": images})
        assert "test is given without train" in message(test=one)
        assert "nothing: holds no labelled image" in message(one, empty)
    assert "nothing: holds no labelled image" in message(empty, images)
    assert "nothing: holds no labelled image" in message(searched={"a": empty})
    assert "nothing: holds no labelled image" in message(
        images, images, searched={"a": empty}
    )
    assert "triplets need the probes" in message(
        searched={"a": images}, triplets=object()
    )
    assert "no encoder" in message(images, images, encoders={})


def test_compare__says_nothing_by_itself(
    make_set: MakeSet, encoder: TorchEncoder, capfd: pytest.CaptureFixture[str]
) -> None:
    sets = make_set("train", 3), make_set("test", 2)
    compare({"colour": encoder}, *sets, EvaluationSettings())
    assert capfd.readouterr() == ("", "")
    progress = EvaluationProgress()
    compare({"colour": encoder}, *sets, EvaluationSettings(), progress=progress)
    assert capfd.readouterr() == (
        "",
        "colour: linear probe\ncolour: knn\ncolour: retrieval\n",
    )


def test_compare__drawn_faces_bring_their_actions(tmp_path: Path) -> None:
    sets = []
    for name, seed in (("train", 1), ("test", 2)):
        save_drawn_faces(
            tmp_path / name, 70, num_identities=7, seed=seed, size=16, labelled=True
        )
        sets.append(open_folder(tmp_path / name, IDENTITY_PATTERN))
    encoder = TorchEncoder(nn.Sequential(nn.AdaptiveAvgPool2d(4), nn.Flatten()), 16)
    comparison = compare({"pixels": encoder}, *sets, EvaluationSettings(seeds=(0,)))
    measures = comparison.results.encoders["pixels"].measures
    actions = measures["actions"]
    assert list(actions.targets) == list(ACTIONS)
    values = [target.value for target in actions.targets.values()]
    assert actions.mean.value == pytest.approx(np.mean(values))
    assert measures["identity"].people == 7


def test_compare__exported_models_are_not_fine_tuned(
    make_set: MakeSet, encoder: TorchEncoder
) -> None:
    settings = EvaluationSettings(fine_tuning=FineTuneSettings(epochs=1))
    images = make_set("train", 3)
    with pytest.raises(InputError, match=r"model\.onnx: an exported model cannot"):
        compare({"model.onnx": object()}, images, images, settings)  # type: ignore[dict-item]


def test_compare__triplets(
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
    triplets = FecTriplets(
        faces=faces,
        triplets=np.array([[0, 1, 2], [3, 0, 1], [0, 3, 1], [0, 1, 4], [2, 3, 0]]),
        odd=np.array([2, 0, 0, 2, -1]),
        kinds=["ONE_CLASS_TRIPLET"] * 5,
        annotations=[(0,)] * 5,
        missing=0,
    )
    comparison = compare(
        {"colour": encoder}, images, images, EvaluationSettings(), triplets=triplets
    )
    result = comparison.results.encoders["colour"].measures["triplets"]
    # One has a face that cannot be read, one has no majority, and one is wrong.
    assert (result.triplets, result.undecided) == (3, 1)
    assert result.accuracy.value == pytest.approx(2 / 3)
