"""Results of an evaluation, for the card of the model that they are of."""

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from obstacles import silent_pipe

from contrawarp_edge import InputError
from lightly_contrawarp.export.model_card import read_evaluation


def write(path: Path, content: Any) -> Path:
    path.write_text(json.dumps(content))
    return path


def test_keeps_the_model_and_untrained_ones(
    evaluation: dict[str, Any], tmp_path: Path
) -> None:
    path = write(tmp_path / "a.json", evaluation)
    own = evaluation["encoders"]["mine.ckpt"]["encoder"]["fingerprint"]
    measured = read_evaluation(path, {"0" * 64, own})
    assert measured.own == ["mine.ckpt"]
    assert list(measured.results) == ["mine.ckpt", "small, random"]
    assert not measured.has_identity
    titles = [table.title for table in measured.tables()]
    assert titles == [
        "Linear probe",
        "Nearest neighbours",
        "Retrieval",
        "Errors by class",
    ]


def test_errors_by_class_are_those_of_the_confusion(
    evaluation: dict[str, Any], tmp_path: Path
) -> None:
    mine = evaluation["encoders"]["mine.ckpt"]
    runs = mine["linear_probe"]["runs"]
    assert len(runs) == 2
    runs[0]["scores"]["confusion"] = [[8, 2, 0], [1, 5, 4], [0, 0, 0]]
    runs[1]["scores"]["confusion"] = [[6, 2, 2], [3, 7, 0], [0, 0, 0]]
    path = write(tmp_path / "a.json", evaluation)
    measured = read_evaluation(path, {mine["encoder"]["fingerprint"]})
    table = measured.tables()[-1]
    assert table.header == ["class", "test images", "mine.ckpt"]
    assert table.rows == [
        ["happy", "10", "30.0"],
        ["sad", "10", "40.0"],
        ["anger", "10", "-"],
    ]


def test_results_of_another_model(evaluation: dict[str, Any], tmp_path: Path) -> None:
    path = write(tmp_path / "a.json", evaluation)
    with pytest.raises(
        InputError, match=r"a.json: has results of other models only \("
    ):
        read_evaluation(path, {"0" * 64})


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"encoders": {"a": {}}}', "7"])
def test_another_kind_of_file(text: str, tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text(text)
    with pytest.raises(
        InputError, match=r"a.json: (no JSON|not written by contrawarp)"
    ):
        read_evaluation(path, {"0" * 64})


def test_a_file_that_lacks_something(
    evaluation: dict[str, Any], tmp_path: Path
) -> None:
    fingerprint = evaluation["encoders"]["mine.ckpt"]["encoder"]["fingerprint"]
    for remove in (
        lambda content: content.pop("data"),
        lambda content: content["data"].pop("classes"),
        lambda content: content["encoders"]["mine.ckpt"].pop("linear_probe"),
        lambda content: content["encoders"]["mine.ckpt"]["retrieval"].clear(),
    ):
        content = copy.deepcopy(evaluation)
        remove(content)
        path = write(tmp_path / "a.json", content)
        with pytest.raises(InputError, match="not written by contrawarp evaluate"):
            read_evaluation(path, {fingerprint})


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none.json: cannot be read: No such file"):
        read_evaluation(tmp_path / "none.json", set())
    with (
        silent_pipe(tmp_path / "pipe.json") as pipe,
        pytest.raises(InputError, match=r"pipe\.json: cannot be read: not a regular"),
    ):
        read_evaluation(pipe, set())
