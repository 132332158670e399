"""What was measured of one encoder, as values and as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import cache
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from contrawarp_edge.core.errors import InputError
from lightly_contrawarp.evaluation.encoders.encoders import EncoderInfo
from lightly_contrawarp.evaluation.measures.linear_probe import LinearProbeResult
from lightly_contrawarp.evaluation.measures.registry import (
    LINEAR_PROBE,
    MEASURES,
    SEARCH_MEASURES,
    Measure,
)

_T = TypeVar("_T")


@dataclass(frozen=True)
class SearchResult:
    """What was measured of one encoder on a set that was only searched.

    Attributes:
        measures: What each measure gave, by its name in `SEARCH_MEASURES`.
        omitted: Why a measure is missing, by its name.
    """

    measures: dict[str, Any]
    omitted: dict[str, str]

    def to_dict(self) -> dict[str, Any]:
        """Values that JSON can hold; the measures stand beside the rest."""
        content = asdict(self)
        return {**content.pop("measures"), **content}

    @classmethod
    def from_dict(cls, content: Any, where: str) -> SearchResult:
        """Reads what `to_dict` gave; see `EncoderResult.from_dict`."""
        values = validated(dict[str, Any], content, where)
        measures = _measures(SEARCH_MEASURES, values, where)
        return validated(cls, {**values, "measures": measures}, where)


@dataclass(frozen=True)
class EncoderResult:
    """What was measured of one encoder.

    Attributes:
        backbone: Name of the network.
        dim: Number of features of an image.
        encoder: The facts about the encoder.
        measures: What each measure gave, by its name in `MEASURES`, which has the
            types; empty if sets were only searched, and else with the linear probe.
        omitted: Why a measure is missing, by its name.
        searched: What sets gave that were only searched, by their names.
    """

    backbone: str
    dim: int
    encoder: EncoderInfo
    measures: dict[str, Any]
    omitted: dict[str, str]
    searched: dict[str, SearchResult] = field(default_factory=dict)

    @property
    def linear_probe(self) -> LinearProbeResult:
        """The measure that is there whenever there was something to learn from."""
        result: LinearProbeResult = self.measures[LINEAR_PROBE]
        return result

    def to_dict(self) -> dict[str, Any]:
        """Values that JSON can hold; the measures stand beside the facts."""
        content = asdict(self)
        measures = content.pop("measures")
        searched = {name: one.to_dict() for name, one in self.searched.items()}
        return {**content, **measures, "searched": searched}

    @classmethod
    def from_dict(cls, content: Any, where: str = "encoder") -> EncoderResult:
        """Reads what `to_dict` gave; what it does not know is passed over.

        Args:
            content: The values.
            where: What to call them in a message.

        Raises:
            InputError: If something is missing or of another type.
        """
        values = validated(dict[str, Any], content, where)
        found = validated(dict[str, Any], values.get("searched", {}), where)
        searched = {
            name: SearchResult.from_dict(one, f"{where}: {name}")
            for name, one in found.items()
        }
        measures = _measures(MEASURES, values, where)
        if LINEAR_PROBE not in measures and (measures or not searched):
            raise InputError(f"{where}: {LINEAR_PROBE}: field required")
        return validated(
            cls, {**values, "measures": measures, "searched": searched}, where
        )


def validated(kind: type[_T], content: Any, where: str) -> _T:
    """Makes a value of a type out of what JSON holds.

    Args:
        kind: The type, such as a dataclass.
        content: The values; what the type does not know is passed over.
        where: What to call them in a message.

    Raises:
        InputError: If something is missing or of another type.
    """
    try:
        result: _T = _adapter(kind).validate_python(content)  # type: ignore[arg-type]
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise InputError(
            f"{where}: {f'{place}: ' if place else ''}{first['msg'].lower()}"
        ) from error
    return result


def _measures(
    wanted: Mapping[str, Measure], values: Mapping[str, Any], where: str
) -> dict[str, Any]:
    found = {
        name: validated(measure.result, values[name], f"{where}: {name}")
        for name, measure in wanted.items()
        if name in values
    }
    if [] in found.values():
        raise InputError(f"{where}: a measure is an empty list")
    return found


@cache
def _adapter(kind: Any) -> TypeAdapter[Any]:
    return TypeAdapter(kind)
