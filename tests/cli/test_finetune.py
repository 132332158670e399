"""contrawarp finetune: a checkpoint that is evaluated and exported like another."""

from pathlib import Path

import pytest
import torch
from click.testing import CliRunner, Result

from contrawarp_edge import Embedder
from contrawarp_edge.inputs.images import read_rgb
from helpers import one_line_error
from helpers_export import run as run_export
from helpers_labelled import write_labelled
from lightly_contrawarp import load_backbone
from lightly_contrawarp.cli import main
from lightly_contrawarp.evaluation.encoders.opening import load_encoder
from lightly_contrawarp.models.checkpoint import load_classifier


def _run(checkpoint: Path, data: Path | str, out: Path, *options: object) -> Result:
    words = ("finetune", checkpoint, "--data", data, "--out", out, "--workers", 0)
    more = ("--batch-size", 8, *options)
    return CliRunner().invoke(main, [str(word) for word in (*words, *more)])


def test_trains_resumes_and_is_exported(small_checkpoint: Path, tmp_path: Path) -> None:
    folder = write_labelled(tmp_path / "labelled", {"angry": 20, "happy": 20})
    (folder / "angry" / "broken.png").write_bytes(b"no image")
    out = tmp_path / "run"
    result = _run(small_checkpoint, folder, out, "--epochs", 1)
    assert result.exit_code == 3, result.output
    assert "1 unreadable images left out, the first: " in result.stderr
    result = _run(small_checkpoint, folder, out, "--epochs", 3, "--resume")
    assert result.exit_code == 3, result.output
    content = torch.load(out / "last.ckpt", weights_only=True)
    assert content["epoch"] == 2
    before, _ = load_backbone(small_checkpoint)
    after, info = load_backbone(out / "best.ckpt")
    weights = zip(before.parameters(), after.parameters(), strict=True)
    assert any(not torch.equal(a, b) for a, b in weights)
    assert info.training_images.endswith("a set named labelled; 40 images")
    assert load_encoder(out / "last.ckpt").info.features.startswith("embedding, ")
    classifier = load_classifier(out / "best.ckpt")
    assert classifier is not None
    assert classifier.facts.images_by_class == {"happy": 20, "anger": 20}
    path = tmp_path / "m.onnx"
    result = run_export(out / "best.ckpt", "--onnx", path)
    assert result.exit_code == 0, result.output
    assert "Trained with labels" in path.with_suffix(".md").read_text()
    alone = tmp_path / "w.safetensors"
    result = run_export(out / "best.ckpt", "--safetensors", alone)
    assert "scores" not in result.stdout
    card = alone.with_suffix(".md").read_text()
    assert "Trained with labels" in card
    assert "scores" not in card
    model = Embedder(path)
    assert model.info.classes == ("happy", "anger")
    images = sorted((folder / "happy").iterdir())[:4]
    outputs = model.run(images)
    assert outputs.scores.sum(axis=1) == pytest.approx(1, abs=1e-5)
    with torch.inference_mode():
        encoder = load_encoder(out / "best.ckpt", features="pooled")
        batch = encoder.prepare([read_rgb(image) for image in images])
        expected = classifier(torch.from_numpy(encoder.embed(batch)))
    assert outputs.scores == pytest.approx(expected.numpy(), abs=1e-4)


def test_a_run_that_was_moved_keeps_its_best_epoch(
    small_checkpoint: Path, tmp_path: Path
) -> None:
    folder = write_labelled(tmp_path / "labelled", {"angry": 6, "happy": 6})
    out, moved = tmp_path / "run", tmp_path / "moved"
    slow = ("--lr", 1e-9)  # no epoch is better than the first
    assert _run(small_checkpoint, folder, out, *slow, "--epochs", 1).exit_code == 0
    out.rename(moved)
    again = (*slow, "--epochs", 2, "--resume")
    assert _run(small_checkpoint, folder, moved, *again).exit_code == 0
    epochs = [
        torch.load(moved / name, weights_only=True)["epoch"]
        for name in ("best.ckpt", "last.ckpt")
    ]
    assert epochs == [0, 1]
    fewer = _run(small_checkpoint, folder, moved, *slow, "--epochs", 1, "--resume")
    one_line_error(fewer, "moved: has done 2 epochs, more than --epochs 1")


def test_bad_input(small_checkpoint: Path, tmp_path: Path) -> None:
    one = write_labelled(tmp_path / "one", {"angry": 3})
    two = write_labelled(tmp_path / "two", {"angry": 3, "happy": 3})
    out = tmp_path / "run"
    for data, options, message in [
        ("", (), "labelled images: give their folder"),
        (one, (), "one: only one class"),
        (two, ("--resume",), "run: has no last.ckpt to resume from"),
    ]:
        one_line_error(_run(small_checkpoint, data, out, *options), message)
    out.mkdir()
    (out / "last.ckpt").write_bytes(small_checkpoint.read_bytes())
    one_line_error(_run(small_checkpoint, two, out), "run: already holds a run")
    result = _run(small_checkpoint, two, out, "--resume")
    one_line_error(result, "run: holds no run of contrawarp finetune")
    one_line_error(_run(tmp_path / "no.ckpt", two, out), "no such checkpoint")
