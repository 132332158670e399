import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from contrawarp_edge.core.errors import InputError
from lightly_contrawarp.evaluation.measures.registry import MEASURES
from lightly_contrawarp.evaluation.results import Results, format_tables, tables

# Written by version 0.1.0, before results had types: all measures of two encoders.
FILE = Path(__file__).parent / "data" / "evaluation.json"
CONTENT: dict[str, Any] = json.loads(FILE.read_text())
OWN = "last.ckpt"
LATER = {"expression_verification", "nearest", "recognition"}


def test_from_dict__reads_what_the_version_before_wrote() -> None:
    results = Results.from_dict(CONTENT)
    _check_holds(json.loads(json.dumps(results.to_dict(), allow_nan=False)), CONTENT)
    own = results.encoders[OWN]
    assert own.measures.keys() == MEASURES.keys() - LATER
    for name, found in own.measures.items():
        kind = type(found[0]) if isinstance(found, list) else type(found)
        assert MEASURES[name].result in (kind, list[kind])  # type: ignore[valid-type]
    run = CONTENT["encoders"][OWN]["linear_probe"]["runs"][1]
    assert own.linear_probe.runs[1].scores.confusion == run["scores"]["confusion"]
    assert results.data.test.people == 6


def _check_holds(content: Any, earlier: Any) -> None:
    """All that was there is there, and what came later is empty."""
    if isinstance(earlier, dict):
        for name, value in earlier.items():
            _check_holds(content[name], value)
        assert all(not content[name] for name in content.keys() - earlier.keys())
    elif isinstance(earlier, list):
        assert len(content) == len(earlier)
        for one, two in zip(content, earlier, strict=True):
            _check_holds(one, two)
    else:
        assert content == earlier


def test_from_dict__passes_over_what_later_versions_may_add() -> None:
    content = copy.deepcopy(CONTENT)
    content["encoders"][OWN]["telepathy"] = {"value": 1}
    content["data"]["colour"] = "grey"
    assert Results.from_dict(content) == Results.from_dict(CONTENT)


def test_from_dict__an_interval_of_the_calibration_error_is_passed_over() -> None:
    content = copy.deepcopy(CONTENT)
    error = {"value": 0.0625, "interval": [0.05, 0.09], "chance": 0.0}
    probe = content["encoders"][OWN]["linear_probe"]
    probe["calibration"] = {"error": error, "reliability": []}
    results = Results.from_dict(content)
    (written, _) = results.to_dict()["encoders"].values()
    assert written["linear_probe"]["calibration"]["error"] == 0.0625
    assert Results.from_dict(results.to_dict()) == results
    rows = tables(results.encoders)[0].rows
    assert [row[-2] for row in rows] == ["6.2", "-"]
    probe["calibration"]["error"] = {"interval": [0, 1]}
    with pytest.raises(InputError, match=r"linear_probe: calibration\.error: "):
        Results.from_dict(content)


def _encoder(content: dict[str, Any]) -> dict[str, Any]:
    encoder: dict[str, Any] = content["encoders"][OWN]
    return encoder


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda c: c.pop("data"), "^results: data: field required$"),
        (lambda c: c["data"].pop("classes"), r"results: data\.classes: field required"),
        (lambda c: c["data"]["classes"].append("x"), "images_by_class has other"),
        (lambda c: c.update(encoders=7), "encoders: input should be a valid dict"),
        (lambda c: c["encoders"].update({OWN: []}), "last.ckpt: input should be"),
        (lambda c: _encoder(c).pop("linear_probe"), "last.ckpt: linear_probe: field"),
        (lambda c: _encoder(c).pop("encoder"), "last.ckpt: encoder: field required"),
        (lambda c: _encoder(c)["retrieval"].clear(), "retrieval: queries: field requ"),
        (lambda c: _encoder(c)["knn"].clear(), "last.ckpt: a measure is an empty list"),
        (
            lambda c: _encoder(c)["knn"].pop(),
            "^Nearest neighbours: is another measure for",
        ),
        (
            lambda c: _encoder(c)["identity"]["verification_auc"].update(value="high"),
            r"last.ckpt: identity: verification_auc\.value: input should be",
        ),
        (
            lambda c: _encoder(c)["linear_probe"]["runs"][0]["scores"].update(
                confusion=[[1]]
            ),
            "linear_probe: confusion has other classes",
        ),
    ],
)
def test_from_dict__says_what_is_wrong(
    damage: Callable[[dict[str, Any]], object], message: str
) -> None:
    content = copy.deepcopy(CONTENT)
    damage(content)
    with pytest.raises(InputError, match=message):
        Results.from_dict(content)


@pytest.mark.parametrize("content", [None, 7, [], {}, {"encoders": {"a": {}}}])
def test_from_dict__of_something_else(content: Any) -> None:
    with pytest.raises(InputError):
        Results.from_dict(content)


def test_tables__one_for_each_measure() -> None:
    found = {one.title: one for one in tables(Results.from_dict(CONTENT).encoders)}
    assert list(found) == [
        *("Linear probe", "Nearest neighbours", "Few labels", "Fine-tuning"),
        *("Retrieval", "Retrieval, other people", "Identity leakage"),
        *("Actions of drawn faces", "Triplets"),
    ]
    own = CONTENT["encoders"][OWN]
    low, high = (100 * end for end in own["linear_probe"]["interval"])
    accuracy = 100 * own["linear_probe"]["accuracy"]
    assert found["Linear probe"].rows[0][:2] == [
        *(OWN, f"{accuracy:.1f} ({low:.1f} to {high:.1f})")
    ]
    assert found["Linear probe"].rows[0][-1] == "16"
    assert found["Nearest neighbours"].header == [
        *("encoder", "k = 5", "k = 20", "k = 200")
    ]
    assert found["Few labels"].header[1:] == ["1%, 4 images", "10%, 4 images"]
    probe = own["few_label"][1]["probe"]
    assert found["Few labels"].rows[0][2] == (
        f"{100 * probe['accuracy']:.1f} ± {100 * probe['spread']:.1f}"
    )
    assert "after 1 epochs" in found["Fine-tuning"].note
    names = [OWN, "small, random", "chance"]
    assert [row[0] for row in found["Retrieval"].rows] == names
    chance = own["retrieval"]["precision_at_1"]["chance"]
    assert found["Retrieval"].rows[-1][1] == f"{100 * chance:.1f}"
    leakage = found["Identity leakage"]
    assert leakage.rows[-1][:2] == ["chance", "50.0"]
    assert leakage.rows[0][3].startswith(
        f"{own['identity']['cosine_gap']['value']:+.3f}"
    )
    assert found["Actions of drawn faces"].header[2:4] == ["smile", "mouth open"]
    smile = own["actions"]["targets"]["smile"]["value"]
    assert found["Actions of drawn faces"].rows[0][2] == f"{smile:.3f}"
    assert found["Triplets"].header == ["encoder", "all", "one class", "two class"]
    for table in found.values():
        assert {len(row) for row in table.rows} == {len(table.header)}


def test_tables__only_of_what_was_measured() -> None:
    content = copy.deepcopy(CONTENT)
    for encoder in content["encoders"].values():
        for name in MEASURES.keys() - LATER - {"linear_probe", "identity"}:
            del encoder[name]
    _encoder(content)["identity"]["cosine_gap"] = None
    linear, leakage = tables(Results.from_dict(content).encoders)
    assert (linear.title, leakage.rows[0][-1]) == ("Linear probe", "-")


def test_format_tables__columns_line_up() -> None:
    text = format_tables(Results.from_dict(CONTENT).encoders)
    for block in text.split("\n\n"):
        assert len({len(line) for line in block.splitlines()}) == 1
    assert text.startswith("Linear probe ")
