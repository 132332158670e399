from pathlib import Path

import pytest
import torch
from torch import nn

from contrawarp_edge.core.errors import InputError
from lightly_contrawarp.evaluation.encoders import opening
from lightly_contrawarp.evaluation.encoders.encoders import TorchEncoder
from lightly_contrawarp.evaluation.encoders.opening import open_encoders, resolve_device


@pytest.fixture(autouse=True)
def fake_files(monkeypatch: pytest.MonkeyPatch) -> None:
    def load(path: Path, **options: str) -> TorchEncoder:
        size = 64 if "large" in path.name else 48
        return TorchEncoder(nn.Flatten(), size, backbone="small", source=str(path))

    monkeypatch.setattr(opening, "load_encoder", load)


def _names(*paths: str, random_init: bool = False) -> list[str]:
    return list(open_encoders([Path(path) for path in paths], random_init=random_init))


def test_open_encoders__have_the_shortest_names_that_differ() -> None:
    assert _names("a/last.ckpt", "a/model.onnx") == ["last.ckpt", "model.onnx"]
    assert _names("a/last.ckpt", "b/last.ckpt") == ["a/last.ckpt", "b/last.ckpt"]
    with pytest.raises(InputError, match="given twice"):
        _names("a/last.ckpt", "a/last.ckpt")


def test_open_encoders__one_untrained_encoder_for_each_architecture() -> None:
    names = _names("a/last.ckpt", "b/last.ckpt", random_init=True)
    assert names == ["a/last.ckpt", "b/last.ckpt", "small, random"]
    names = _names("last.ckpt", "large.ckpt", random_init=True)
    assert names[2:] == ["small, 48 px, random", "small, 64 px, random"]


def test_resolve_device(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    assert resolve_device("auto") == resolve_device("cpu") == "cpu"
    with pytest.raises(InputError, match="device cuda: not available"):
        resolve_device("cuda")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert resolve_device("auto") == "cuda"
