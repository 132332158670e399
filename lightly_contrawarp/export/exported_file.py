"""What is told of a file that was exported."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from contrawarp_edge import Embedder


@dataclass(frozen=True)
class ExportedFile:
    """A model, or the weights of one.

    Attributes:
        path: Where it is.
        precision: Number format of the weights.
        size: Bytes.
        fingerprint: 64 hex digits.
    """

    path: Path
    precision: str
    size: int
    fingerprint: str

    @classmethod
    def of(cls, embedder: Embedder, path: Path) -> ExportedFile:
        """A model that waits elsewhere, and where it will be."""
        info, size = embedder.info, embedder.path.stat().st_size
        return cls(path, info.precision, size, info.fingerprint)

    def to_dict(self) -> dict[str, Any]:
        """The facts as plain values."""
        return {
            "file": str(self.path),
            "bytes": self.size,
            "precision": self.precision,
            "fingerprint": self.fingerprint,
        }
