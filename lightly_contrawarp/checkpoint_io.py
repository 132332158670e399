"""Checkpoints that a crash never leaves half written."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import torch
from pytorch_lightning.plugins.io import TorchCheckpointIO

from lightly_contrawarp.files import atomic_write


class AtomicCheckpointIO(TorchCheckpointIO):
    """Writes beside the target and renames.

    Lightning writes to the system's folder for temporary files and moves the result,
    which is a copy, and can be cut short, where that is another file system.
    """

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None
    ) -> None:
        """Replaces a checkpoint in one step.

        Args:
            checkpoint: What to save.
            path: The file.
            storage_options: Not used.

        Raises:
            InputError: If it cannot be written. An earlier file is left as it was.
        """
        path = Path(path)
        # In memory first, since torch.save hides the reason of a failed write.
        content = io.BytesIO()
        torch.save(checkpoint, content)
        path.parent.mkdir(parents=True, exist_ok=True)
        atomic_write(path, content.getbuffer())
