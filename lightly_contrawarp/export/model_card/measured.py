"""What ``contrawarp evaluate`` measured of a model, for its card."""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from contrawarp_edge.core.errors import InputError
from contrawarp_edge.core.regular_files import problem_of
from lightly_contrawarp.evaluation.encoder_result import EncoderResult
from lightly_contrawarp.evaluation.measures.linear_probe import LinearProbeResult
from lightly_contrawarp.evaluation.results import (
    DataFacts,
    Results,
    SearchedFacts,
    searched_tables,
    tables,
)
from lightly_contrawarp.evaluation.tables import Table, percent


@dataclass(frozen=True)
class Measured:
    """Results of one evaluation.

    Attributes:
        data: The facts about the labelled set; None if sets were only searched.
        searched: The facts about sets that were only searched, by name.
        results: The measures by the name of the encoder: the model itself, and
            untrained encoders beside it.
        own: Names in ``results`` of the model itself.
    """

    data: DataFacts | None
    searched: dict[str, SearchedFacts]
    results: dict[str, EncoderResult]
    own: list[str]

    def tables(self) -> list[Table]:
        """The measures, and the errors by class of the linear probe."""
        errors = [_errors_by_class(self, self.data)] if self.data else []
        return [*tables(self.results), *errors]

    def searched_tables(self) -> dict[str, list[Table]]:
        """The measures of sets that were only searched, by their names."""
        return searched_tables(self.results)

    @property
    def has_identity(self) -> bool:
        """Whether identity leakage of the model was measured."""
        own = [self.results[name] for name in self.own]
        found = [set(one.measures) for one in own]
        found += [set(place.measures) for one in own for place in one.searched.values()]
        return any("identity" in measures for measures in found)


def read_evaluation(path: Path, fingerprints: Collection[str]) -> Measured:
    """Reads what ``contrawarp evaluate --json`` wrote.

    Args:
        path: The file.
        fingerprints: Those of the checkpoint and of the files exported from it.

    Returns:
        The results of models with one of the fingerprints, and of untrained encoders.

    Raises:
        InputError: If the file cannot be read, is another kind of file, or none of
            its results is of this model.
    """
    if problem := problem_of(path):
        raise InputError(f"{path}: cannot be read: {problem}")
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise InputError(f"{path}: no JSON ({error})") from error
    try:
        results = Results.from_dict(content)
    except InputError as error:
        raise InputError(
            f"{path}: not written by contrawarp evaluate --json ({error})"
        ) from error
    measured = select_results(results, fingerprints)
    if not measured.own:
        raise InputError(
            f"{path}: has results of other models only "
            f"({', '.join(results.encoders)}); evaluate this checkpoint, or a file "
            "that was exported from it"
        )
    return measured


def select_results(results: Results, fingerprints: Collection[str]) -> Measured:
    """Takes out what concerns a model; see `Measured`.

    Args:
        results: What was measured.
        fingerprints: Those of the model.
    """
    own = [
        name
        for name, result in results.encoders.items()
        if result.encoder.fingerprint in fingerprints
    ]
    chosen = {
        name: result
        for name, result in results.encoders.items()
        if name in own or result.encoder.kind == "random"
    }
    return Measured(results.data, results.searched, chosen, own)


def _errors_by_class(measured: Measured, data: DataFacts) -> Table:
    counts = data.test.images_by_class
    return Table(
        title="Errors by class",
        note="Share of the test images of a class that the linear probe takes for "
        "another one.",
        header=["class", "test images", *measured.own],
        rows=[
            [
                name,
                f"{counts[name]:,}",
                *(
                    _error(measured.results[one].linear_probe, label)
                    for one in measured.own
                ),
            ]
            for label, name in enumerate(data.classes)
        ],
    )


def _error(probe: LinearProbeResult, label: int) -> str:
    row = np.mean([run.scores.confusion[label] for run in probe.runs], axis=0)
    return percent(1 - row[label] / row.sum()) if row.sum() else "-"
