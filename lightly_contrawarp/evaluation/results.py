"""What ``contrawarp evaluate`` found, as values, as JSON and as tables."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cache
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from contrawarp_edge.core.errors import InputError
from lightly_contrawarp.evaluation.encoders.encoders import EncoderInfo
from lightly_contrawarp.evaluation.measures.linear_probe import LinearProbeResult
from lightly_contrawarp.evaluation.measures.registry import LINEAR_PROBE, MEASURES
from lightly_contrawarp.evaluation.splits import SplitFacts
from lightly_contrawarp.evaluation.tables import Table

_T = TypeVar("_T")


@dataclass(frozen=True)
class EncoderResult:
    """What was measured of one encoder.

    Attributes:
        backbone: Name of the network.
        dim: Number of features of an image.
        encoder: The facts about the encoder.
        measures: What each measure gave, by its name in `MEASURES`, which has the
            types; the linear probe is always among them.
        omitted: Why a measure is missing, by its name.
    """

    backbone: str
    dim: int
    encoder: EncoderInfo
    measures: dict[str, Any]
    omitted: dict[str, str]

    @property
    def linear_probe(self) -> LinearProbeResult:
        """The measure that is always there."""
        result: LinearProbeResult = self.measures[LINEAR_PROBE]
        return result

    def to_dict(self) -> dict[str, Any]:
        """Values that JSON can hold; the measures stand beside the facts."""
        content = asdict(self)
        measures = content.pop("measures")
        return {**content, **measures}

    @classmethod
    def from_dict(cls, content: Any, where: str = "encoder") -> EncoderResult:
        """Reads what `to_dict` gave; what it does not know is passed over.

        Args:
            content: The values.
            where: What to call them in a message.

        Raises:
            InputError: If something is missing or of another type.
        """
        values = _validated(dict[str, Any], content, where)
        measures = {
            name: _validated(measure.result, values[name], f"{where}: {name}")
            for name, measure in MEASURES.items()
            if name in values
        }
        if LINEAR_PROBE not in measures:
            raise InputError(f"{where}: {LINEAR_PROBE}: field required")
        if [] in measures.values():
            raise InputError(f"{where}: a measure is an empty list")
        return _validated(cls, {**values, "measures": measures}, where)


@dataclass(frozen=True)
class DataFacts:
    """What was evaluated on.

    Attributes:
        classes: Names of the classes.
        train: What the probes learned from.
        test: What they were scored on.
        unreadable: A line for each image that was left out.
    """

    classes: list[str]
    train: SplitFacts
    test: SplitFacts
    unreadable: list[str]


@dataclass(frozen=True)
class Results:
    """What was measured of several encoders on one labelled set.

    Attributes:
        settings: How it was measured.
        versions: Of everything that numbers may depend on.
        data: What it was measured on.
        encoders: What came out, by the name of the encoder.
    """

    settings: dict[str, Any]
    versions: dict[str, str]
    data: DataFacts
    encoders: dict[str, EncoderResult]

    def to_dict(self) -> dict[str, Any]:
        """Values that JSON can hold."""
        return {
            "settings": self.settings,
            "versions": self.versions,
            "data": asdict(self.data),
            "encoders": {name: one.to_dict() for name, one in self.encoders.items()},
        }

    @classmethod
    def from_dict(cls, content: Any) -> Results:
        """Reads what `to_dict` gave; what it does not know is passed over.

        Raises:
            InputError: If something is missing, of another type, or does not fit the
                rest.
        """
        values = _validated(dict[str, Any], content, "results")
        encoders = {
            name: EncoderResult.from_dict(result, name)
            for name, result in _validated(
                dict[str, Any], values.get("encoders"), "encoders"
            ).items()
        }
        results = _validated(cls, {**values, "encoders": encoders}, "results")
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
    found = []
    for name, measure in MEASURES.items():
        taken = {
            encoder: result.measures[name]
            for encoder, result in results.items()
            if name in result.measures
        }
        if taken:
            found.append(measure.table(taken))
    return found


def format_tables(results: Mapping[str, EncoderResult]) -> str:
    """The tables as text, one below the other; see `tables`."""
    return "\n\n".join(table.to_text() for table in tables(results))


def _check_consistent(results: Results) -> None:
    """Refuses what fits the types, but could be laid out in no table."""
    classes = results.data.classes
    if list(results.data.test.images_by_class) != classes:
        raise InputError("data: test: images_by_class has other classes")
    for name, result in results.encoders.items():
        shapes = {
            tuple(map(len, run.scores.confusion)) for run in result.linear_probe.runs
        }
        if shapes != {(len(classes),) * len(classes)}:
            raise InputError(f"{name}: {LINEAR_PROBE}: confusion has other classes")
    for name, measure in MEASURES.items():
        headers = {
            tuple(measure.table({"": result.measures[name]}).header)
            for result in results.encoders.values()
            if name in result.measures
        }
        if len(headers) > 1:
            raise InputError(f"{name}: is another measure for each encoder")


@cache
def _adapter(kind: Any) -> TypeAdapter[Any]:
    return TypeAdapter(kind)


def _validated(kind: type[_T], content: Any, where: str) -> _T:
    try:
        result: _T = _adapter(kind).validate_python(content)  # type: ignore[arg-type]
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise InputError(
            f"{where}: {f'{place}: ' if place else ''}{first['msg'].lower()}"
        ) from error
    return result
