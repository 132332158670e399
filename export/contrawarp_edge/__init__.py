"""Embed faces by expression and search them, without PyTorch."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from contrawarp_edge.core.errors import InputError
    from contrawarp_edge.gallery.conditions import Condition
    from contrawarp_edge.gallery.gallery import Gallery
    from contrawarp_edge.gallery.records import Hit, Record
    from contrawarp_edge.model.embedder import Embedder
    from contrawarp_edge.model.info import ModelInfo

__all__ = [
    "Condition",
    "Embedder",
    "Gallery",
    "Hit",
    "InputError",
    "ModelInfo",
    "Record",
]

_MODULES = {
    "Condition": "gallery.conditions",
    "Embedder": "model.embedder",
    "Gallery": "gallery.gallery",
    "Hit": "gallery.records",
    "InputError": "core.errors",
    "ModelInfo": "model.info",
    "Record": "gallery.records",
}


def __getattr__(name: str) -> Any:
    """A public name, imported when it is first used: commands have to start quickly."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
