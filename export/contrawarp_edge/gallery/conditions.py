"""Conditions on the metadata of images, such as ``age>=30``, and its fields."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any, Literal, TypeAlias, cast, get_args

from contrawarp_edge.core.errors import InputError

Scalar: TypeAlias = str | int | float | bool
Operator: TypeAlias = Literal["=", "!=", "<", "<=", ">", ">="]

ADDED = "@added"
"""Key of a condition on the time when an image was embedded, in ISO 8601 and UTC."""

EXPRESSION = "expression"
"""Key of a condition on the most probable class, where metadata says nothing else."""

IDENTITY = "identity"
"""Name under which metadata says who is in an image."""

_CONDITION = re.compile(r"([^=<>!]+)(!=|<=|>=|=|<|>)(.*)", re.DOTALL)
_NUMBER = re.compile(r"-?(0|[1-9]\d{0,15})(\.\d+)?([eE][+-]?\d{1,2})?")
# What the user wrote comes before what the model recognised.
_FACTS = f"""(
    SELECT key, type, atom FROM json_each(metadata) UNION ALL
    SELECT '{EXPRESSION}', 'text', expression WHERE expression != ''
    AND json_type(metadata, '$.{EXPRESSION}') IS NULL
)"""


@dataclass(frozen=True)
class Condition:
    """What one metadata value of an image has to be.

    An image that lacks the key fits no condition, not even ``!=``. Numbers are ordered
    as numbers, text as text, which is right for ISO dates; numbers and text are never
    ordered against each other.

    Attributes:
        key: Name of the value, or ``ADDED``.
        operator: How the image's value compares with ``value``.
        value: Compared with.
        text: What ``=`` and ``!=`` take for the same as ``value``.
    """

    key: str
    operator: Operator
    value: Scalar
    text: str | None = None

    def __post_init__(self) -> None:
        if self.operator not in get_args(Operator):
            raise InputError(f"{self.operator!r} is none of {get_args(Operator)}")

    def to_sql(self) -> tuple[str, list[Scalar]]:
        """The condition as an SQL expression on a row of images, and its values."""
        if self.key == ADDED:
            return f"added {self.operator} ?", [self.value]
        if self.operator in ("=", "!="):
            same = "atom = ?" if self.text is None else "(atom = ? OR atom = ?)"
            test = same if self.operator == "=" else f"NOT {same}"
            values = [self.value] if self.text is None else [self.value, self.text]
        else:
            kinds = "'text'" if isinstance(self.value, str) else "'integer', 'real'"
            test = f"type IN ({kinds}) AND atom {self.operator} ?"
            values = [self.value]
        facts = _FACTS if self.key == EXPRESSION else "json_each(metadata)"
        found = f"SELECT 1 FROM {facts} WHERE key = ? AND {test}"
        return f"EXISTS ({found})", [self.key, *values]


Where: TypeAlias = Mapping[str, Scalar] | Iterable[Condition]


def as_conditions(where: Where | None) -> list[Condition]:
    """Conditions from values that metadata must have, or as they are."""
    if where is None:
        return []
    if isinstance(where, Mapping):
        return [Condition(key, "=", value) for key, value in where.items()]
    return list(where)


def parse_value(text: str) -> Scalar:
    """A number or a truth value if the text is one in JSON's notation, else text.

    ``"007"`` and whole numbers of more than 16 digits stay text: they are names.
    A text in double quotes is what is between them.
    """
    if text in ("true", "false"):
        return text == "true"
    if _NUMBER.fullmatch(text):
        return cast("int | float", json.loads(text))
    if len(text) > 1 and text[0] == text[-1] == '"':
        return text[1:-1]
    return text


def parse_condition(text: str) -> Condition:
    """Reads ``KEY=VALUE``, or with ``!=``, ``<``, ``<=``, ``>`` or ``>=``.

    Raises:
        InputError: If the text has no such form.
    """
    match = _CONDITION.fullmatch(text)
    key = match[1].strip() if match else ""
    if match is None or not key:
        raise InputError(
            f"{text!r}: not a condition such as set=train, set!=test or age>=30"
        )
    raw = match[3].strip()
    value = parse_value(raw)
    same = raw if not isinstance(value, str) else None
    return Condition(key, cast(Operator, match[2]), value, same)


def parse_date(text: str) -> str:
    """A date or time in ISO 8601, local unless it says otherwise, as ISO 8601 in UTC.

    Raises:
        InputError: If the text is no date.
    """
    try:
        moment = datetime.fromisoformat(text.replace("Z", "+00:00"))
        moment = moment.astimezone(timezone.utc)
    except (ValueError, OverflowError) as error:
        raise InputError(f"{text!r}: not a date such as 2026-05-31") from error
    return moment.isoformat(timespec="seconds")


_MOST_VALUES = 200


def metadata_fields(metadata: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The metadata by which images can be filtered, as JSON values.

    Args:
        metadata: That of each image. Values that are lists or objects are left out.

    Returns:
        Ordered by name: ``name``, and ``values`` with ``value`` and ``count``, the
        most frequent ones first.
    """
    counts: dict[str, Counter[Scalar]] = {}
    for values in metadata:
        for name, value in values.items():
            if isinstance(value, (str, int, float, bool)):
                counts.setdefault(name, Counter())[value] += 1
    return [
        {
            "name": name,
            "values": [
                {"value": value, "count": count}
                for value, count in values.most_common(_MOST_VALUES)
            ],
        }
        for name, values in sorted(counts.items())
    ]
