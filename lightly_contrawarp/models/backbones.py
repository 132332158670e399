"""Encoders by name: torchvision's without their head, and a small one."""

from __future__ import annotations

import difflib

import torchvision
from torch import nn

from contrawarp_edge.core.errors import NotApplicableError, NotFoundError

SMALL = {"small": 16, "small_w32": 32, "small_w64": 64}
"""Encoders for crops of 48 to 64 pixels and their widths; work grows with the square.

The first trains on a CPU in minutes.
"""

_BATCH_NORM_MOMENTUM = 0.1

_HEADS = ("fc", "classifier", "head", "heads")


def build_backbone(name: str) -> tuple[nn.Module, int]:
    """Builds a randomly initialised encoder.

    Args:
        name: Name of a torchvision classification model, such as ``resnet18`` or
            ``mobilenet_v3_small``, whose head is removed; or one of `SMALL`.

    Returns:
        The module, which maps ``[n, 3, h, w]`` to ``[n, d]``, and ``d``. BatchNorm
        averages its statistics over tens of steps: some of torchvision's models take
        hundreds, so that after a short run nearly all embeddings are the same.

    Raises:
        InputError: If torchvision has no such model, or its head cannot be removed.
    """
    if name in SMALL:
        return _small_encoder(SMALL[name])
    names = torchvision.models.list_models(module=torchvision.models)
    if name not in names:
        close = difflib.get_close_matches(name, [*SMALL, *names], n=3) or ["resnet18"]
        raise NotFoundError(
            f"unknown backbone {name!r}: torchvision has no such classification "
            f"model; did you mean {', '.join(close)}?"
        )
    model = torchvision.models.get_model(name, weights=None)
    head_name = next(name for name in _HEADS if hasattr(model, name))
    head = getattr(model, head_name)
    layers = list(head) if isinstance(head, nn.Sequential) else [head]
    linear = next((x for x in layers if isinstance(x, nn.Linear)), None)
    if linear is None or hasattr(model, "aux_logits"):
        raise NotApplicableError(
            f"backbone {name!r} has a head that cannot be removed; use another one, "
            "such as resnet18, or pass a module of your own to ContraWarp"
        )
    # Norm and flatten layers before the first linear one belong to the features;
    # dropout does not. A flatten in place of the rest keeps torchvision's key names.
    before = layers[: layers.index(linear)]
    kept = [layer for layer in before if not isinstance(layer, nn.Dropout)]
    setattr(model, head_name, nn.Sequential(*kept, nn.Flatten()))
    for layer in model.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.momentum = _BATCH_NORM_MOMENTUM
    return model, linear.in_features


def _small_encoder(width: int) -> tuple[nn.Module, int]:
    """Six 3 x 3 convolutions that halve the image four times.

    Torchvision's models are made for 224 pixels: at 48 they leave a map of 2 x 2, too
    coarse to tell where a brow or a mouth corner is.
    """
    plan = [(1, 2), (2, 2), (2, 1), (4, 2), (4, 1), (8, 2)]  # factor of width, stride
    layers: list[nn.Module] = []
    channels = 3
    for factor, stride in plan:
        layers += [
            nn.Conv2d(channels, factor * width, 3, stride, padding=1, bias=False),
            nn.BatchNorm2d(factor * width),
            nn.ReLU(inplace=True),
        ]
        channels = factor * width
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten()), channels
