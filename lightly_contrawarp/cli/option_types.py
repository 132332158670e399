"""Options of commands that settings declare."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import Field, fields
from typing import Any, TypeVar

import click

from contrawarp_edge.core.command import FiniteRange
from lightly_contrawarp.loss.hyperparameters import rule_of
from lightly_contrawarp.training.settings import PretrainSettings

_Command = TypeVar("_Command", bound=Callable[..., Any])


def setting_option(name: str, **changes: Any) -> Callable[[_Command], _Command]:
    """An option that is a field of ``PretrainSettings``.

    Args:
        name: Name of the field.
        **changes: What ``click.option`` shall be told otherwise.
    """
    one = PretrainSettings.__dataclass_fields__[name]
    rule = rule_of(one)
    words = option_name(name) + (f"/--{rule.off}" if rule.off else "")
    known = {"default": one.default, "help": rule.help, **_kind(one)}
    if rule.shown:
        known["show_default"] = rule.shown
    return click.option(words, name, **{**known, **changes})


def setting_options(command: _Command) -> _Command:
    """Adds an option for each field of ``PretrainSettings`` that is to have one."""
    for one in reversed(fields(PretrainSettings)):
        if rule_of(one).option:
            command = setting_option(one.name)(command)
    return command


def option_name(field: str) -> str:
    """What the option of a field is called."""
    return f"--{field.replace('_', '-')}"


def _kind(one: Field[Any]) -> dict[str, Any]:
    rule = rule_of(one)
    if isinstance(one.default, bool):
        return {"is_flag": True}
    if rule.choices:
        return {"type": click.Choice(rule.choices)}
    low, high = (x if math.isfinite(x) else None for x in (rule.low, rule.high))
    if isinstance(one.default, float):
        return {"type": FiniteRange(low, high, min_open=rule.low_open)}
    if isinstance(one.default, int):
        least, most = (None if x is None else int(x) for x in (low, high))
        return {"type": click.IntRange(least, most)}
    return {"type": str}


SEED: click.IntRange = _kind(PretrainSettings.__dataclass_fields__["seed"])["type"]
"""What NumPy takes."""
