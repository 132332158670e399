"""Named recipes: settings that belong together."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from contrawarp_edge.core.errors import InputError
from lightly_contrawarp.models.settings import ModelSettings

_BYOL = {"positive_weight": 1.0, "negative_weight": 0.0, "action_weight": 1.0}

PRESETS: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        "contrawarp": {},
        "byol": _BYOL,
        "byol-own-warps": {**_BYOL, "negative_weight": 1.0, "negatives_from": "face"},
        "two-views": {**_BYOL, "positive_weight": 0.0, "pairing": "single"},
        "paper": {
            "positive_weight": 1.0,
            "negative_weight": 5.0,
            "action_weight": 0.0,
            "negatives_from": "face",
            "contrast": "target",
            "pairing": "unpaired",
            "warp": "bumps",
        },
    }
)
"""Changes to the defaults by name, the defaults themselves first.

- ``contrawarp``: the defaults.
- ``byol``: BYOL's positives, of the face and of each warp, and the action term.
- ``byol-own-warps``: the same, and each warp told from the others of its face.
- ``two-views``: the action term alone, from one view of the face and one of its warp.
- ``paper``: the recipe as the paper words it: two views of the face are BYOL's
  positives, and one randomly warped view, seen by the target network, is the negative.
"""


def preset(name: str, **changes: Any) -> ModelSettings:
    """Settings of a named recipe.

    Args:
        name: One of `PRESETS`.
        **changes: Fields of `ModelSettings` that shall differ from it.

    Raises:
        InputError: If there is none of that name, or settings are outside of their
            range or exclude each other.
    """
    if name not in PRESETS:
        raise InputError(f"preset must be one of {', '.join(PRESETS)}, got {name!r}")
    return ModelSettings(**{**PRESETS[name], **changes})
