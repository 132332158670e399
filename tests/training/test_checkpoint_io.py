import errno
import os
from pathlib import Path

import pytest
import torch

from contrawarp_edge.core.errors import InputError
from lightly_contrawarp.training.lightning import AtomicCheckpointIO


def test_replaces_the_earlier_one_and_leaves_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "new" / "last.ckpt"
    for value in (1, 2):
        AtomicCheckpointIO().save_checkpoint({"value": value}, path)
        assert torch.load(path, weights_only=True) == {"value": value}
        (path.parent / ".last.ckpt.draft").write_text("left by a killed run")
    AtomicCheckpointIO().save_checkpoint({"value": 3}, path)
    assert torch.load(path, weights_only=True) == {"value": 3}
    assert list(path.parent.iterdir()) == [path]


def test_a_failed_write_keeps_the_earlier_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "last.ckpt"
    AtomicCheckpointIO().save_checkpoint({"value": 1}, path)

    def full_disk(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("os.fsync", full_disk)
    with pytest.raises(InputError, match=r"last\.ckpt: cannot be written: No space"):
        AtomicCheckpointIO().save_checkpoint({"value": 2}, path)
    assert torch.load(path, weights_only=True) == {"value": 1}
    assert list(tmp_path.iterdir()) == [path]
