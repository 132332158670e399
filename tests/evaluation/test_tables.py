from dataclasses import asdict
from typing import Any

import numpy as np
import pytest

from lightly_contrawarp.evaluation.measures.few_label import few_label_probe
from lightly_contrawarp.evaluation.measures.fine_tuning import (
    FineTuneResult,
    FineTuneSettings,
)
from lightly_contrawarp.evaluation.measures.identity import identity_leakage
from lightly_contrawarp.evaluation.measures.linear_probe import knn_probe, linear_probe
from lightly_contrawarp.evaluation.measures.regression import regression_probe
from lightly_contrawarp.evaluation.measures.retrieval import retrieval
from lightly_contrawarp.evaluation.measures.triplets import triplet_accuracy
from lightly_contrawarp.evaluation.statistics.scores import score
from lightly_contrawarp.evaluation.tables import Table, format_tables, tables


@pytest.fixture(scope="module")
def result() -> dict[str, Any]:
    rng = np.random.default_rng(0)
    labels, people = np.arange(40) % 2, np.arange(40) % 5
    values = (labels[:, None] + 0.1 * rng.standard_normal((40, 3))).astype(np.float32)
    data = values, labels, values, labels
    targets = np.stack([values[:, 0], -values[:, 1]], axis=1)
    return {
        "linear_probe": asdict(linear_probe(*data, seeds=(0,), num_classes=2)),
        "knn": [asdict(r) for r in knn_probe(*data, num_classes=2, ks=(3, 7))],
        "few_label": [asdict(r) for r in few_label_probe(*data, num_classes=2)],
        "fine_tuning": asdict(
            FineTuneResult(FineTuneSettings(), score(labels, labels, num_classes=2))
        ),
        "retrieval": asdict(retrieval(values, labels)),
        "retrieval_other_people": asdict(retrieval(values, labels, identities=people)),
        "identity": asdict(identity_leakage(values, labels, people)),
        "actions": asdict(
            regression_probe(
                values, targets, values, targets, names=("smile", "mouth_open")
            )
        ),
        "triplets": asdict(
            triplet_accuracy(
                values, np.array([[0, 2, 1]]), np.array([2]), ["ONE_CLASS_TRIPLET"]
            )
        ),
    }


def test_tables__one_for_each_measure(result: dict[str, Any]) -> None:
    found = {table.title: table for table in tables({"a": result, "b": result})}
    assert list(found) == [
        *("Linear probe", "Nearest neighbours", "Few labels", "Fine-tuning"),
        *("Retrieval", "Retrieval, other people", "Identity leakage"),
        *("Actions of drawn faces", "Triplets"),
    ]
    assert found["Linear probe"].rows[0] == [
        *("a", "100.0 (100.0 to 100.0)", "100.0 (100.0 to 100.0)"),
        *("100.0 (100.0 to 100.0)", "3"),
    ]
    assert found["Nearest neighbours"].header == ["encoder", "k = 3", "k = 7"]
    assert found["Few labels"].header[1:] == ["1%, 4 images", "10%, 4 images"]
    assert found["Few labels"].rows[1] == ["b", "100.0 ± 0.0", "100.0 ± 0.0"]
    assert [row[0] for row in found["Retrieval"].rows] == ["a", "b", "chance"]
    assert found["Retrieval"].rows[-1][1] == "48.7"  # 19 of 39
    leakage = found["Identity leakage"]
    assert leakage.rows[-1] == ["chance", "50.0", "17.9", ""]  # 7 of 39
    assert leakage.rows[0][3].startswith("-0.")
    assert found["Actions of drawn faces"].header[2:] == ["smile", "mouth open"]
    assert found["Triplets"].header == ["encoder", "all", "one class"]
    for table in found.values():
        assert {len(row) for row in table.rows} == {len(table.header)}


def test_tables__only_of_what_was_measured(result: dict[str, Any]) -> None:
    partial = {"linear_probe": result["linear_probe"]}
    assert [table.title for table in tables({"a": partial})] == ["Linear probe"]
    gap_free = {"identity": {**result["identity"], "cosine_gap": None}}
    (table,) = tables({"a": gap_free})
    assert table.rows[0][-1] == "-"


def test_format_tables__columns_line_up(result: dict[str, Any]) -> None:
    text = format_tables({"last.ckpt": result, "resnet18, random": result})
    for block in text.split("\n\n"):
        lines = block.splitlines()
        assert len({len(line) for line in lines}) == 1
    assert text.startswith("Linear probe ")
    table = Table("Title", "", ["encoder", "x"], [["long name", "1"]])
    assert table.to_text() == "Title      x\nlong name  1"
