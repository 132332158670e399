"""Optimised models are kept on the device, and used only if nothing has changed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from contrawarp_edge import Embedder, InputError
from contrawarp_edge.model import session_cache

IMAGE = np.random.default_rng(0).integers(0, 256, (9, 7, 3), dtype=np.uint8)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(session_cache, "MIN_BYTES", 0)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr("sys.platform", "linux")
    return tmp_path / "cache" / "contrawarp-edge"


@pytest.fixture
def loaded(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The files that sessions are made from."""
    names: list[str] = []
    original = onnxruntime.InferenceSession

    def noted(path: str, *arguments: object, **settings: object) -> object:
        names.append(path)
        return original(path, *arguments, **settings)

    monkeypatch.setattr(onnxruntime, "InferenceSession", noted)
    return names


def files(folder: Path) -> list[Path]:
    return sorted(folder.iterdir()) if folder.exists() else []


def test_written_once_and_used_then(
    model: Path, folder: Path, loaded: list[str], reference: Callable[..., np.ndarray]
) -> None:
    first = Embedder(model).embed(IMAGE)
    (kept,) = files(folder)
    assert kept.suffix == ".onnx"
    assert folder.stat().st_mode & 0o777 == 0o700
    second = Embedder(model).embed(IMAGE)
    assert loaded == [str(model), str(kept)]
    np.testing.assert_array_equal(first, second)
    np.testing.assert_allclose(second[0], reference(IMAGE), atol=1e-6)


@pytest.mark.parametrize("kind", ["truncated", "changed", "empty", "another"])
def test_damaged_ones_are_replaced(
    kind: str,
    model: Path,
    make_model: Callable[..., Path],
    folder: Path,
    loaded: list[str],
) -> None:
    expected = Embedder(model).embed(IMAGE)
    (kept,) = files(folder)
    content = kept.read_bytes()
    if kind == "truncated":
        kept.write_bytes(content[:-1])
    elif kind == "changed":
        middle = len(content) // 2
        kept.write_bytes(content[:middle] + b"\x01" + content[middle + 1 :])
    elif kind == "empty":
        kept.write_bytes(b"")
    else:
        Embedder(make_model("other.onnx", seed=1))
        (other,) = set(files(folder)) - {kept}
        kept.write_bytes(other.read_bytes())
    np.testing.assert_array_equal(Embedder(model).embed(IMAGE), expected)
    assert loaded[-1] == str(model)
    assert kept.read_bytes() == content


def test_of_another_version_or_processor(
    model: Path, folder: Path, loaded: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    Embedder(model)
    monkeypatch.setattr(session_cache, "_device", lambda: "1_0-another")
    Embedder(model)
    assert loaded == [str(model), str(model)]
    assert len(files(folder)) == 2


def test_a_changed_model_does_not_use_it(model: Path, folder: Path) -> None:
    Embedder(model)
    content = bytearray(model.read_bytes())
    content[content.index(b"weights") + 40] ^= 1
    model.write_bytes(content)
    with pytest.raises(InputError, match=r"model\.onnx: "):
        Embedder(model)
    assert len(files(folder)) == 1


def test_only_a_few_are_kept(
    make_model: Callable[..., Path], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session_cache, "MAX_KEPT", 2)
    models = [make_model(f"{seed}.onnx", seed=seed) for seed in range(4)]
    for path in models:
        Embedder(path)
        Embedder(models[0])  # used again and again
    assert len(files(folder)) == 2
    assert any(
        Embedder(models[0]).info.fingerprint[:32] in f.name for f in files(folder)
    )


def test_no_place_for_it(
    model: Path, folder: Path, tmp_path: Path, loaded: list[str]
) -> None:
    (tmp_path / "cache").write_text("a file where the folder should be")
    Embedder(model).embed(IMAGE)
    assert loaded[-1] == str(model)


def test_no_room_for_it(
    model: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path) -> str:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(session_cache, "_hash", full)
    Embedder(model).embed(IMAGE)
    assert files(folder) == []


def test_small_models_and_other_providers_need_none(
    model: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session_cache, "MIN_BYTES", 1 << 20)
    Embedder(model)
    assert files(folder) == []


def test_cache_folders(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    monkeypatch.setenv("HOME", "/home/me")
    assert session_cache.cache_folder() == Path("/home/me/.cache/contrawarp-edge")
    monkeypatch.setattr("sys.platform", "darwin")
    expected = Path("/home/me/Library/Caches/contrawarp-edge")
    assert session_cache.cache_folder() == expected
    monkeypatch.setattr("sys.platform", "win32")
    monkeypatch.delenv("LOCALAPPDATA", raising=False)
    assert session_cache.cache_folder() is None
