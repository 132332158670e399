"""The contract of an exported model file: one definition for writing and reading it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from contrawarp_edge.core.errors import InputError
from contrawarp_edge.core.text import is_text
from contrawarp_edge.model.fingerprint import (
    METADATA_PREFIX,
    contract_entries,
    model_fingerprint,
)

FORMAT_VERSION = 3
"""Version of the contract that this package writes; it reads none that is newer."""

INPUT_NAME = "images"
"""The model's input: uint8 ``[N, H, W, 3]`` RGB, with N, H and W dynamic."""

OUTPUT_NAME = "embedding"
"""The model's output: float32 ``[N, dim]``, rows of unit length."""

SCORES_NAME = "scores"
"""Output of a model with classes: float32 ``[N, C]``, probabilities that sum to 1."""

_WITH_CLASSES = 3
_COMMERCIAL_USE = ("unknown", "yes", "no")


@dataclass(frozen=True)
class ModelInfo:
    """What an exported model says about itself.

    Attributes:
        input_size: Side in pixels to which the model resizes its input.
        crop: How a face has to sit in the image, as plain JSON values.
        backbone: Name of the network.
        dim: Length D of an embedding.
        package_version: Version of the package that exported the model.
        precision: Number format of the weights, such as ``"fp32"``.
        commercial_use: What the licence of the training data allows: ``"yes"``,
            ``"no"`` or ``"unknown"``.
        fingerprint: SHA-256 of weights, preprocessing and, from version 2 on, all that
            is said here, 64 lower-case hex digits. Embeddings are comparable only if
            their fingerprints are equal.
        format_version: Of the contract.
        classes: Names of the C classes that the model recognises, in the order of its
            scores; none if it has no scores, as before version 3.

    Raises:
        InputError: If a value is outside its range.
    """

    input_size: int
    crop: Mapping[str, Any] = field(hash=False)
    backbone: str
    dim: int
    package_version: str
    precision: str
    commercial_use: str
    fingerprint: str
    format_version: int = FORMAT_VERSION
    classes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.input_size < 1 or self.dim < 1:
            raise InputError("input_size and dim have to be positive")
        if self.commercial_use not in _COMMERCIAL_USE:
            raise InputError(f"commercial_use is none of {', '.join(_COMMERCIAL_USE)}")
        if not re.fullmatch("[0-9a-f]{64}", self.fingerprint):
            raise InputError("fingerprint is not a SHA-256 in lower-case hex digits")
        # What was written and what is read back compare equal: tuples become lists.
        object.__setattr__(self, "crop", json.loads(json.dumps(self.crop)))
        if not isinstance(self.crop, dict):
            raise InputError("crop is not a JSON object")
        is_list = isinstance(self.classes, (list, tuple))
        if not is_list or not all(isinstance(n, str) and n for n in self.classes):
            raise InputError("classes is not a JSON list of names")
        if not all(map(is_text, self.classes)):
            raise InputError("the name of a class is no valid Unicode")
        object.__setattr__(self, "classes", tuple(self.classes))
        if len(set(self.classes)) < len(self.classes):
            raise InputError(f"classes repeat a name: {', '.join(self.classes)}")

    @property
    def short_fingerprint(self) -> str:
        """The first twelve digits of the fingerprint, for messages."""
        return self.fingerprint[:12]

    def sealed(self, model: bytes) -> ModelInfo:
        """The same, with the fingerprint of a model that is to say this of itself.

        Args:
            model: The content of its file, with or without metadata.
        """
        info = replace(self, format_version=FORMAT_VERSION)
        return replace(info, fingerprint=model_fingerprint(model, info.to_metadata()))

    def to_metadata(self) -> dict[str, str]:
        """The entries to store in the ONNX file's ``metadata_props``."""
        values = {
            "format_version": str(self.format_version),
            "input_size": str(self.input_size),
            "crop": json.dumps(self.crop, sort_keys=True),
            "backbone": self.backbone,
            "dim": str(self.dim),
            "package_version": self.package_version,
            "precision": self.precision,
            "commercial_use": self.commercial_use,
            "fingerprint": self.fingerprint,
        }
        if self.format_version >= _WITH_CLASSES:
            values["classes"] = json.dumps(self.classes)
        return {METADATA_PREFIX + key: value for key, value in values.items()}

    @classmethod
    def from_metadata(
        cls, metadata: Mapping[str, str], source: Path | str = "model"
    ) -> ModelInfo:
        """Reads what ``to_metadata`` wrote; entries of other tools are ignored.

        Args:
            metadata: All ``metadata_props`` of the file.
            source: The file, for messages.

        Raises:
            InputError: If entries are missing or malformed, or the format is newer
                than this package. The message names the file.
        """
        values = contract_entries(metadata)
        if not values:
            raise InputError(
                f"{source}: not written by contrawarp-export (no {METADATA_PREFIX}* "
                "metadata)"
            )
        try:
            format_version = int(values["format_version"])
            if format_version > FORMAT_VERSION:
                raise InputError(
                    "its format is newer than this package; upgrade contrawarp-edge"
                )
            has_classes = format_version >= _WITH_CLASSES
            return cls(
                input_size=int(values["input_size"]),
                crop=json.loads(values["crop"]),
                backbone=values["backbone"],
                dim=int(values["dim"]),
                package_version=values["package_version"],
                precision=values["precision"],
                commercial_use=values["commercial_use"],
                fingerprint=values["fingerprint"],
                format_version=format_version,
                classes=json.loads(values["classes"]) if has_classes else (),
            )
        except KeyError as error:
            raise InputError(
                f"{source}: metadata {METADATA_PREFIX}{error.args[0]} is missing; "
                "export the model again"
            ) from error
        except ValueError as error:
            raise InputError(f"{source}: {error}") from error
