"""What a checkpoint says of its encoder, and how to get that encoder back."""

from __future__ import annotations

import pickle
import zipfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from torch import nn

from contrawarp_edge.align.crop import FACE_CROP
from contrawarp_edge.core.errors import InputError
from contrawarp_edge.core.regular_files import check_regular
from lightly_contrawarp.models.backbones import build_backbone
from lightly_contrawarp.models.embedding.classifier import LinearClassifier
from lightly_contrawarp.models.embedding.head import EmbeddingHead
from lightly_contrawarp.models.embedding.network import embedding_network
from lightly_contrawarp.models.finite import all_finite

CHECKPOINT_KEY = "contrawarp"
"""Entry of a Lightning checkpoint that holds a :class:`BackboneInfo`."""

HEAD_KEY = "contrawarp_head"
"""Entry that holds the ``state_dict`` of an `EmbeddingHead`, if one was fitted."""

CLASSIFIER_KEY = "contrawarp_classifier"
"""Entry that holds the state of a `LinearClassifier`, if fine-tuning made one."""

CUSTOM = "custom"
"""What an encoder is called that is a module of the user's."""

_PREFIX = "backbone."


@dataclass(frozen=True)
class BackboneInfo:
    """The facts about an encoder that travel with its weights.

    Attributes:
        name: Torchvision name, or `CUSTOM` for a module of the user's.
        dim: Number of features D.
        input_size: Height and width in pixels that it was trained on.
        crop: The crop contract as plain values.
        commercial_use: What the licence of the training images allows: ``"yes"``,
            ``"no"`` or ``"unknown"``.
        training_images: What it was trained on, in words, or ``"unknown"``.
        package_version: Version that wrote the checkpoint.
    """

    name: str
    dim: int
    input_size: int
    crop: Mapping[str, Any] = field(default_factory=FACE_CROP.to_dict, hash=False)
    commercial_use: str = "unknown"
    training_images: str = "unknown"
    package_version: str = field(default_factory=lambda: version("lightly-contrawarp"))

    def to_dict(self) -> dict[str, Any]:
        """Plain values, safe for ``torch.load(..., weights_only=True)``."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Any) -> BackboneInfo:
        """Reads what `to_dict` wrote; fields of later versions are left out.

        Raises:
            InputError: If a field is missing.
        """
        known = {field.name for field in fields(cls)}
        try:
            return cls(**{key: values[key] for key in known & values.keys()})
        except (AttributeError, TypeError) as error:
            raise InputError(
                "its facts about the encoder are damaged, or of a version that is not "
                "known; try a newer lightly-contrawarp"
            ) from error


def load_backbone(
    path: Path | str, backbone: nn.Module | None = None
) -> tuple[nn.Module, BackboneInfo]:
    """Loads the encoder of a checkpoint that ``ContraWarp`` wrote.

    Takes what Lightning writes: full and weights-only checkpoints, with or without
    compiled modules. Nothing in the file is executed (``weights_only=True``).

    Args:
        path: The ``.ckpt`` file.
        backbone: Module to load into; needed if the encoder was not built by name.

    Returns:
        The encoder, ``[n, 3, s, s] -> [n, d]``, on the CPU in evaluation mode, and
        what is known about it.

    Raises:
        InputError: If the file is missing, is no such checkpoint, or does not fit.
    """
    path = Path(path)
    return _backbone_of(_read(path), path, backbone)


def load_embedding(
    path: Path | str, backbone: nn.Module | None = None
) -> tuple[nn.Module, BackboneInfo]:
    """Loads what ``contrawarp-export`` exports of a checkpoint, up to unit length.

    Args:
        path: The ``.ckpt`` file.
        backbone: Module to load into; needed if the encoder was not built by name.

    Returns:
        The encoder with the checkpoint's embedding head, or alone if there is none,
        ``[n, 3, s, s] -> [n, d]``, on the CPU in evaluation mode; and what is known
        about it, with ``d`` as ``dim``.

    Raises:
        InputError: See `load_backbone`; or if the head is damaged or does not fit.
    """
    path = Path(path)
    content = _read(path)
    backbone, info = _backbone_of(content, path, backbone)
    if HEAD_KEY not in content:
        return backbone, info
    try:
        head = EmbeddingHead.from_state(content[HEAD_KEY])
        network = embedding_network(backbone, info.input_size, head)
    except InputError as error:
        raise InputError(
            f"{path}: {error}; use its pooled features, or fit another head"
        ) from error
    return network.eval(), replace(info, dim=head.dim)


def load_classifier(path: Path | str) -> LinearClassifier | None:
    """Loads the classifier that fine-tuning left in a checkpoint, if there is one.

    Args:
        path: The ``.ckpt`` file.

    Raises:
        InputError: If the file is missing or no checkpoint, or the classifier damaged.
    """
    content = _read(Path(path))
    if CLASSIFIER_KEY not in content:
        return None
    try:
        return LinearClassifier.from_state(content[CLASSIFIER_KEY])
    except InputError as error:
        raise InputError(f"{path}: {error}") from error


def check_encoder(checkpoint: Mapping[str, Any], info: BackboneInfo) -> BackboneInfo:
    """Checks that the weights in a checkpoint are those of an encoder.

    Args:
        checkpoint: Content of a Lightning checkpoint.
        info: What is known about the encoder.

    Returns:
        What the checkpoint says of its encoder; ``info`` if it says nothing.

    Raises:
        InputError: If it is another one.
    """
    if CHECKPOINT_KEY not in checkpoint:
        return info
    saved = BackboneInfo.from_dict(checkpoint[CHECKPOINT_KEY])
    if (saved.name, saved.dim) != (info.name, info.dim):
        raise InputError(
            f"the checkpoint holds a {saved.name} encoder of {saved.dim} features, not "
            f"{info.name} of {info.dim}; pass backbone=... and, for a module of your "
            "own, backbone_dim=..."
        )
    return saved


def training_facts(path: Path | str) -> dict[str, Any]:
    """What a checkpoint tells about its training.

    Args:
        path: The ``.ckpt`` file.

    Returns:
        ``epochs`` and ``optimizer_steps`` that are done and the settings of the module,
        as far as they are there: a weights-only checkpoint may have none.

    Raises:
        InputError: If the file is missing or no checkpoint.
    """
    content = _read(Path(path), mmap=True)  # the weights stay where they are
    facts: dict[str, Any] = {}
    if "loops" in content:
        epochs = content["loops"]["fit_loop"]["epoch_progress"]["current"]
        facts["epochs"] = epochs["processed"]
    if "global_step" in content:
        facts["optimizer_steps"] = content["global_step"]
    return facts | dict(content.get("hyper_parameters", {}))


def _backbone_of(
    content: dict[str, Any], path: Path, backbone: nn.Module | None
) -> tuple[nn.Module, BackboneInfo]:
    if CHECKPOINT_KEY not in content:
        raise InputError(
            f"{path}: no ContraWarp checkpoint; give a .ckpt of contrawarp pretrain, "
            "or of a Trainer that fitted ContraWarp"
        )
    try:
        info = BackboneInfo.from_dict(content[CHECKPOINT_KEY])
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
    if backbone is None:
        if info.name == CUSTOM:
            raise InputError(
                f"{path}: holds an encoder of your own; pass the module to "
                "load_backbone(path, backbone=...)"
            )
        backbone, _ = build_backbone(info.name)
    weights = {
        key.removeprefix(_PREFIX): value
        for key, value in (
            (key.replace("_orig_mod.", ""), value)
            for key, value in content.get("state_dict", {}).items()
        )
        if key.startswith(_PREFIX)
    }
    if not all_finite(weights.values()):
        raise InputError(
            f"{path}: its weights are not finite numbers, because training diverged; "
            "train again with a lower learning rate"
        )
    try:
        backbone.load_state_dict(weights)
    except RuntimeError as error:
        reason = str(error).splitlines()[-1].strip()
        raise InputError(f"{path}: does not fit {info.name}: {reason}") from error
    return backbone.eval(), info


def _read(path: Path, mmap: bool = False) -> dict[str, Any]:
    if path.is_dir():
        raise InputError(
            f"{path}: is a folder; a sharded checkpoint has to be consolidated first"
        )
    if not path.exists():
        raise InputError(f"{path}: no such checkpoint")
    check_regular(path)
    if not zipfile.is_zipfile(path):
        raise InputError(f"{path}: not a checkpoint, or one that is cut short")
    try:
        content = torch.load(path, map_location="cpu", weights_only=True, mmap=mmap)
    except pickle.UnpicklingError as error:
        raise InputError(
            f"{path}: not safe to load, because it holds more than tensors"
        ) from error
    except Exception as error:  # torch raises many types on broken archives
        raise InputError(f"{path}: not a checkpoint that PyTorch can read") from error
    return content if isinstance(content, dict) else {}
