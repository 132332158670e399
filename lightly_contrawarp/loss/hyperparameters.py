"""Hyper-parameters as fields of dataclasses: default, range and help in one place.

Nothing heavy is imported, so that commands make their options of them at once.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Sequence
from dataclasses import Field, dataclass, field, fields
from enum import Enum
from typing import Any, TypeVar

from contrawarp_edge.core.errors import InputError
from contrawarp_edge.core.ranges import check_range

_T = TypeVar("_T")
_Class = TypeVar("_Class", bound=type)


@dataclass(frozen=True)
class Rule:
    """What a hyper-parameter may be, and what it is.

    Attributes:
        help: What it is, in a sentence.
        low: Smallest number.
        high: Largest number.
        low_open: Whether ``low`` itself is outside.
        choices: The words there are, if it is a word.
        off: Name of the option that turns it off, if it is on by default.
        shown: What stands for the default where that says nothing.
        option: Whether the command has an option for it.
    """

    help: str
    low: float = -math.inf
    high: float = math.inf
    low_open: bool = False
    choices: Sequence[str] = ()
    off: str = ""
    shown: str = ""
    option: bool = True


def hyperparameter(default: _T, help: str, **rule: Any) -> _T:
    """A field of a dataclass with its default; see `Rule` for what else is known."""
    value: _T = field(default=default, metadata={"rule": Rule(help, **rule)})
    return value


def rule_of(one: Field[Any]) -> Rule:
    """What is known about a field that `hyperparameter` made."""
    rule: Rule = one.metadata["rule"]
    return rule


def check_hyperparameters(settings: Any) -> None:
    """Checks each field of a dataclass alone; members of enums become their words.

    Raises:
        InputError: If a number is outside of its range, or a word is none of its own.
    """
    for one in fields(settings):
        rule, value = rule_of(one), getattr(settings, one.name)
        if rule.choices:
            value = value.value if isinstance(value, Enum) else value
            if value not in rule.choices:
                words = " or ".join(map(repr, rule.choices))
                raise InputError(f"{one.name} must be {words}, got {value!r}")
            # A checkpoint is to be read without running what it holds: plain values.
            object.__setattr__(settings, one.name, value)
        elif isinstance(one.default, int | float) and not isinstance(one.default, bool):
            check_range(one.name, value, rule.low, rule.high, low_open=rule.low_open)


def spells_out(settings: type) -> Callable[[_Class], _Class]:
    """Decorates a class so that ``help()`` lists settings in place of ``**changes``.

    Args:
        settings: The dataclass whose fields the class takes by name.
    """

    def decorate(cls: _Class) -> _Class:
        signature = inspect.signature(cls)
        own = [p for p in signature.parameters.values() if p.kind != p.VAR_KEYWORD]
        named = [
            inspect.Parameter(
                one.name, inspect.Parameter.KEYWORD_ONLY, default=one.default
            )
            for one in fields(settings)
            if one.name not in signature.parameters
        ]
        cls.__signature__ = signature.replace(parameters=own + named)  # type: ignore[attr-defined]
        return cls

    return decorate
