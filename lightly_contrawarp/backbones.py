"""Torchvision backbones without their classification head."""

from __future__ import annotations

import difflib

import torchvision
from torch import nn

from contrawarp_edge.errors import InputError

_HEADS = ("fc", "classifier", "head", "heads")


def build_backbone(name: str) -> tuple[nn.Module, int]:
    """Builds a randomly initialised torchvision classifier without its head.

    Args:
        name: Name of a torchvision classification model, such as ``resnet18`` or
            ``mobilenet_v3_small``.

    Returns:
        The module, which maps ``[N, 3, H, W]`` to ``[N, D]``, and ``D``.

    Raises:
        InputError: If torchvision has no such model, or its head cannot be removed.
    """
    names = torchvision.models.list_models(module=torchvision.models)
    if name not in names:
        close = difflib.get_close_matches(name, names, n=3) or ["resnet18"]
        raise InputError(
            f"unknown backbone {name!r}: torchvision has no such classification "
            f"model; did you mean {', '.join(close)}?"
        )
    model = torchvision.models.get_model(name, weights=None)
    head_name = next(name for name in _HEADS if hasattr(model, name))
    head = getattr(model, head_name)
    layers = list(head) if isinstance(head, nn.Sequential) else [head]
    linear = next((x for x in layers if isinstance(x, nn.Linear)), None)
    if linear is None or hasattr(model, "aux_logits"):
        raise InputError(
            f"backbone {name!r} has a head that cannot be removed; use another one, "
            "such as resnet18, or pass a module of your own to ContraWarp"
        )
    # Norm and flatten layers before the first linear one belong to the features;
    # dropout does not. A flatten in place of the rest keeps torchvision's key names.
    before = layers[: layers.index(linear)]
    kept = [layer for layer in before if not isinstance(layer, nn.Dropout)]
    setattr(model, head_name, nn.Sequential(*kept, nn.Flatten()))
    return model, linear.in_features
