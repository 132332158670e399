"""contrawarp-export: one checked file, or one line that says why not."""

from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import Result
from PIL import Image
from torch import nn

from contrawarp_edge import Embedder
from helpers import one_line_error
from helpers_export import run, save_checkpoint
from lightly_contrawarp import ContraWarp, load_backbone
from lightly_contrawarp.export import onnx_model


@pytest.mark.slow
def test_says_what_it_wrote(
    small_export: tuple[Path, Result], small_checkpoint: Path
) -> None:
    path, result = small_export
    assert result.exit_code == 0, result.output
    (hint,) = result.stderr.splitlines()
    assert hint.startswith(f"{small_checkpoint}: has no embedding head, so ")
    info = Embedder(path).info
    assert (info.backbone, info.input_size, info.dim) == ("small", 48, 128)
    assert info.commercial_use == "no"
    first, embedding, second, third = result.stdout.splitlines()
    assert first.startswith(f"{path}: small, 48 px, 128 dimensions, ")
    assert first.endswith(f" MB, fingerprint {info.short_fingerprint}")
    assert embedding == "embedding: the encoder's pooled output, 128 features"
    assert second.startswith("parity with PyTorch on 16 images: largest difference ")
    card = path.with_suffix(".md")
    assert third == f"{card}: model card"
    assert info.fingerprint in card.read_text()
    assert set(path.parent.iterdir()) == {small_checkpoint, path, card}


@pytest.mark.slow
def test_the_file_embeds_as_the_checkpoint_does(
    small_export: tuple[Path, Result],
    small_checkpoint: Path,
    pil_faces: list[Image.Image],
) -> None:
    backbone, info = load_backbone(small_checkpoint)
    faces = [face.resize((90, 70)) for face in pil_faces[:3]]
    model = onnx_model.EmbeddingModel(backbone, info.input_size)
    pixels = torch.from_numpy(np.stack([np.array(face) for face in faces]))
    with torch.inference_mode():
        expected = model(pixels).numpy()
    actual = Embedder(small_export[0]).embed(faces)
    np.testing.assert_allclose(actual, expected, atol=1e-5)


@pytest.mark.slow
def test_is_checked_on_images_of_ones_own(
    small_export: tuple[Path, Result],
    small_checkpoint: Path,
    face_folder: Path,
    tmp_path: Path,
) -> None:
    for name in sorted((face_folder / "a").iterdir())[3:]:
        name.unlink()
    path = tmp_path / "again.onnx"
    result = run(small_checkpoint, "--onnx", path, "--images", face_folder / "a")
    assert result.exit_code == 0, result.output
    assert "parity with PyTorch on 3 images: " in result.stdout
    again, first = Embedder(path).info, Embedder(small_export[0]).info
    assert again.fingerprint == first.fingerprint


@pytest.mark.slow
def test_a_file_that_differs_is_not_written(
    small_export: tuple[Path, Result],
    small_checkpoint: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    converted = small_export[0].read_bytes()
    monkeypatch.setattr(onnx_model, "_to_onnx", lambda model: converted)
    monkeypatch.setattr(onnx_model, "TOLERANCE", -1.0)
    result = run(small_checkpoint, "--onnx", tmp_path / "model.onnx")
    one_line_error(result, "model.onnx: not written, because its embeddings differ")
    assert list(tmp_path.iterdir()) == []


def test_what_cannot_be_exported(small_checkpoint: Path, tmp_path: Path) -> None:
    cut, other = tmp_path / "cut.ckpt", tmp_path / "other.ckpt"
    cut.write_bytes(small_checkpoint.read_bytes()[:5000])
    torch.save({"state_dict": {}}, other)
    own = save_checkpoint(ContraWarp(nn.Flatten(), 12, input_size=2), tmp_path / "own")
    empty = tmp_path / "empty"
    empty.mkdir()
    before = set(tmp_path.iterdir())
    path = tmp_path / "model.onnx"
    for source, message in [
        (tmp_path / "none.ckpt", "none.ckpt: no such checkpoint"),
        (empty, "empty: is a folder"),
        (cut, "cut.ckpt: not a checkpoint, or one that is cut short"),
        (other, "other.ckpt: no ContraWarp checkpoint"),
        (own, "own: holds an encoder of your own"),
    ]:
        one_line_error(run(source, "--onnx", path), message)
    for folder, message in [
        (tmp_path / "none", "none: no such file or folder"),
        (empty, "empty: no image in this folder"),
    ]:
        result = run(small_checkpoint, "--onnx", path, "--images", folder)
        one_line_error(result, message)
    assert set(tmp_path.iterdir()) == before


def test_where_nothing_can_be_written(small_checkpoint: Path, tmp_path: Path) -> None:
    result = run(small_checkpoint, "--onnx", tmp_path)
    one_line_error(result, f"{tmp_path}: is a folder; --onnx has to be a file")
    result = run(small_checkpoint, "--onnx", tmp_path / "none" / "model.onnx")
    one_line_error(result, "none: no such folder to write model.onnx to")
    assert list(tmp_path.iterdir()) == []
