"""Modules of optional extras, imported in one thread at a time.

Some, such as OpenCV, take themselves out of ``sys.modules`` while they are imported, or
stand there half made. A thread that looks for one just then finds no module, or fails.
So nobody looks: whoever needs one imports it here.
"""

from __future__ import annotations

import threading
from importlib import import_module
from typing import Any

from contrawarp_edge.core.errors import InputError

_importing = threading.RLock()  # one module may ask for another while it is imported


def optional(name: str) -> Any | None:
    """A module, or None if it is not installed or cannot be imported."""
    try:
        return _imported(name)
    except ImportError:
        return None


def required(name: str, extra: str, purpose: str) -> Any:
    """A module that something cannot do without.

    Args:
        name: Of the module.
        extra: What installs it.
        purpose: What needs what, such as ``"videos need PyAV"``.

    Raises:
        InputError: If it is not installed or cannot be imported; the message ends with
            what to do.
    """
    try:
        return _imported(name)
    except ModuleNotFoundError as error:
        raise InputError(f"{purpose}; {how_to_install(extra)}") from error
    except ImportError as error:  # installed, but something that it needs is not
        raise InputError(
            f"{purpose}, which does not work here ({error}); {how_to_install(extra)}"
        ) from error


def how_to_install(extra: str) -> str:
    """What to type to get an optional extra."""
    return f"pip install 'contrawarp-edge[{extra}]'"


def _imported(name: str) -> Any:
    with _importing:
        return import_module(name)
