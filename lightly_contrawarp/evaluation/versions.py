"""Versions of the software that a measurement was made with."""

from __future__ import annotations

import platform
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version

_PACKAGES = (
    *("lightly-contrawarp", "contrawarp-edge", "lightly", "kornia", "torch"),
    *("torchvision", "scikit-learn", "numpy", "pillow", "onnxruntime"),
    "ai-edge-litert",
)


def versions() -> dict[str, str]:
    """Versions of everything that numbers may depend on, as far as it is installed."""
    found = {"python": platform.python_version()}
    for name in _PACKAGES:
        with suppress(PackageNotFoundError):
            found[name] = version(name)
    return found
