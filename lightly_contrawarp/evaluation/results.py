"""What ``contrawarp evaluate`` found, as values, as JSON and as tables."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from itertools import chain
from typing import Any

from contrawarp_edge.core.errors import InputError
from lightly_contrawarp.evaluation.encoder_result import (
    EncoderResult,
    SearchResult,
    validated,
)
from lightly_contrawarp.evaluation.measures.registry import (
    LINEAR_PROBE,
    MEASURES,
    SEARCH_MEASURES,
    Measure,
)
from lightly_contrawarp.evaluation.overlap import OverlapFacts
from lightly_contrawarp.evaluation.splits import SplitFacts
from lightly_contrawarp.evaluation.tables import Table

SEARCHED = "Only searched"
"""The heading of a set without a probe, before its name."""


@dataclass(frozen=True)
class DataFacts:
    """What was evaluated on.

    Attributes:
        classes: Names of the classes.
        train: What the probes learned from.
        test: What they were scored on.
        unreadable: A line for each image that was left out.
        overlap: What both share; None if nobody looked.
    """

    classes: list[str]
    train: SplitFacts
    test: SplitFacts
    unreadable: list[str]
    overlap: OverlapFacts | None = None


@dataclass(frozen=True)
class SearchedFacts:
    """A set that was only searched.

    Attributes:
        test: Its facts.
        unreadable: A line for each image that was left out.
    """

    test: SplitFacts
    unreadable: list[str]


@dataclass(frozen=True)
class Results:
    """What was measured of several encoders on the same sets.

    Attributes:
        settings: How it was measured.
        versions: Of everything that numbers may depend on.
        data: What the probes were taken on; None if there were none.
        encoders: What came out, by the name of the encoder.
        searched: The sets that were only searched, by name.
    """

    settings: dict[str, Any]
    versions: dict[str, str]
    data: DataFacts | None
    encoders: dict[str, EncoderResult]
    searched: dict[str, SearchedFacts] = field(default_factory=dict)

    @property
    def unreadable(self) -> list[str]:
        """A line for each image that was left out."""
        lines = list(self.data.unreadable) if self.data else []
        for one in self.searched.values():
            lines += one.unreadable
        return lines

    def to_dict(self) -> dict[str, Any]:
        """Values that JSON can hold."""
        return {
            "settings": self.settings,
            "versions": self.versions,
            "data": asdict(self.data) if self.data else None,
            "encoders": {name: one.to_dict() for name, one in self.encoders.items()},
            "searched": {name: asdict(one) for name, one in self.searched.items()},
        }

    @classmethod
    def from_dict(cls, content: Any) -> Results:
        """Reads what `to_dict` gave; what it does not know is passed over.

        Raises:
            InputError: If something is missing, of another type, or does not fit the
                rest.
        """
        values = validated(dict[str, Any], content, "results")
        encoders = {
            name: EncoderResult.from_dict(result, name)
            for name, result in validated(
                dict[str, Any], values.get("encoders"), "encoders"
            ).items()
        }
        results = validated(cls, {**values, "encoders": encoders}, "results")
        _check_consistent(results)
        return results


def tables(results: Mapping[str, EncoderResult]) -> list[Table]:
    """Lays out results for reading.

    Args:
        results: What was measured, by the name of the encoder; all with the same
            settings.

    Returns:
        A table for each measure that was taken; intervals are in brackets.
    """
    return _tables(MEASURES, results)


def searched_tables(results: Mapping[str, EncoderResult]) -> dict[str, list[Table]]:
    """Lays out what sets gave that were only searched, by their names; see `tables`."""
    names = dict.fromkeys(name for one in results.values() for name in one.searched)
    return {
        name: _tables(
            SEARCH_MEASURES,
            {
                encoder: one.searched[name]
                for encoder, one in results.items()
                if name in one.searched
            },
        )
        for name in names
    }


def format_tables(results: Mapping[str, EncoderResult]) -> str:
    """The tables as text, one below the other, those of a searched set below its name.

    See `tables` and `searched_tables`.
    """
    blocks = [table.to_text() for table in tables(results)]
    for name, found in searched_tables(results).items():
        blocks += [f"{SEARCHED}: {name}", *(table.to_text() for table in found)]
    return "\n\n".join(blocks)


def _tables(
    measures: Mapping[str, Measure],
    results: Mapping[str, EncoderResult] | Mapping[str, SearchResult],
) -> list[Table]:
    found = []
    for name, measure in measures.items():
        taken = {
            encoder: result.measures[name]
            for encoder, result in results.items()
            if name in result.measures
        }
        if taken:
            found.append(measure.table(taken))
    return found


def _check_consistent(results: Results) -> None:
    """Refuses what fits the types, but could be laid out in no table."""
    if results.data is not None:
        _check_probes(results.data, results.encoders)
    alone = [{"": one} for one in results.encoders.values()]
    _check_headers(map(tables, alone))
    for name in results.searched:
        _check_headers(searched_tables(one).get(name, []) for one in alone)


def _check_probes(data: DataFacts, encoders: Mapping[str, EncoderResult]) -> None:
    classes = data.classes
    if list(data.test.images_by_class) != classes:
        raise InputError("data: test: images_by_class has other classes")
    for name, result in encoders.items():
        if LINEAR_PROBE not in result.measures:
            raise InputError(f"{name}: {LINEAR_PROBE}: field required")
        shapes = {
            tuple(map(len, run.scores.confusion)) for run in result.linear_probe.runs
        }
        if shapes != {(len(classes),) * len(classes)}:
            raise InputError(f"{name}: {LINEAR_PROBE}: confusion has other classes")


def _check_headers(of_encoders: Iterable[list[Table]]) -> None:
    headers: dict[str, list[str]] = {}
    for table in chain.from_iterable(of_encoders):
        if headers.setdefault(table.title, table.header) != table.header:
            raise InputError(f"{table.title}: is another measure for each encoder")
