"""What users may import, and what it takes: a change here is a change for them."""

from __future__ import annotations

import enum
import importlib
import inspect
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

FROZEN = Path(__file__).with_suffix(".txt")
PACKAGES = ("lightly_contrawarp", "contrawarp_edge")


@pytest.mark.parametrize("package", PACKAGES)
def test_public_names_are_what_they_were(package: str) -> None:
    """If a change is meant, say so in CHANGELOG.md and run this file as a program."""
    frozen = [x for x in FROZEN.read_text().splitlines() if x.startswith(package)]
    assert list(public_names(package)) == frozen


def public_names(package: str) -> Iterator[str]:
    """The members and parameters of all that a package exports, a line each."""
    module = importlib.import_module(package)
    for name in sorted(module.__all__):
        thing, label = getattr(module, name), f"{package}.{name}"
        if inspect.isclass(thing) and issubclass(thing, enum.Enum):
            yield f"{label}: {', '.join(member.value for member in thing)}"
        elif inspect.isclass(thing) and issubclass(thing, Exception):
            yield f"{label}: {', '.join(base.__name__ for base in thing.__mro__[1:-1])}"
        else:
            yield f"{label}{parameters(thing)}"
            if inspect.isclass(thing):
                yield from sorted(f"{label}.{member}" for member in members(thing))


def members(thing: type) -> Iterator[str]:
    """Methods and properties of a class, without those that a framework calls."""
    own = [base for base in thing.__mro__ if base.__module__.split(".")[0] in PACKAGES]
    others = [base for base in thing.__mro__ if base not in own]
    hooks = {name for base in others for name in vars(base)} - {"forward"}
    defined = {
        name: value for base in reversed(own) for name, value in vars(base).items()
    }
    for name, value in defined.items():
        if name.startswith("_") or name in hooks:
            continue
        if isinstance(value, property):
            yield name
        elif isinstance(value, (classmethod, staticmethod)) or inspect.isfunction(
            value
        ):
            yield f"{name}{parameters(getattr(thing, name))}"


def parameters(call: Callable[..., Any]) -> str:
    """Their names and kinds; those with a value if left out end with "="."""
    signature = inspect.signature(call)
    bare = [
        p.replace(
            annotation=p.empty, default=p.empty if p.default is p.empty else Left()
        )
        for p in signature.parameters.values()
        if p.name != "self"
    ]
    return str(
        signature.replace(parameters=bare, return_annotation=inspect.Signature.empty)
    )


class Left:
    def __repr__(self) -> str:
        return ""


if __name__ == "__main__":
    lines = [x for p in PACKAGES for x in public_names(p)]
    FROZEN.write_text("\n".join(lines) + "\n")
