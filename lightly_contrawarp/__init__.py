"""ContraWarping for Lightly: facial-expression embeddings from unlabelled faces."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lightly_contrawarp.loss.actions import ActionHead
    from lightly_contrawarp.loss.contrawarp_loss import ContraWarpLoss
    from lightly_contrawarp.loss.settings import Contrast, NegativeForm
    from lightly_contrawarp.models.checkpoint import load_backbone, load_embedding
    from lightly_contrawarp.models.contrawarp import ContraWarp
    from lightly_contrawarp.transforms.action_warp import ActionWarp
    from lightly_contrawarp.transforms.collate import ContraWarpCollate
    from lightly_contrawarp.transforms.contrawarp_transform import ContraWarpTransform
    from lightly_contrawarp.transforms.local_warp import LocalWarp
    from lightly_contrawarp.transforms.view_transform import ContraWarpViewTransform

    __version__: str

__all__ = [
    "ActionHead",
    "ActionWarp",
    "ContraWarp",
    "ContraWarpCollate",
    "ContraWarpLoss",
    "ContraWarpTransform",
    "ContraWarpViewTransform",
    "Contrast",
    "LocalWarp",
    "NegativeForm",
    "load_backbone",
    "load_embedding",
]

_HOMES = {
    "ActionHead": "loss.actions",
    "ActionWarp": "transforms.action_warp",
    "ContraWarp": "models.contrawarp",
    "ContraWarpCollate": "transforms.collate",
    "ContraWarpLoss": "loss.contrawarp_loss",
    "ContraWarpTransform": "transforms.contrawarp_transform",
    "ContraWarpViewTransform": "transforms.view_transform",
    "Contrast": "loss.settings",
    "LocalWarp": "transforms.local_warp",
    "NegativeForm": "loss.settings",
    "load_backbone": "models.checkpoint",
    "load_embedding": "models.checkpoint",
}


def __getattr__(name: str) -> Any:
    """Imports a public name when it is first used: PyTorch takes seconds."""
    if name == "__version__":
        return import_module("importlib.metadata").version("lightly-contrawarp")
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, "__version__"})
