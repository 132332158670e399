"""contrawarp-export --labels and --teach."""

import os
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from contrawarp_edge import Embedder
from helpers import one_line_error
from helpers_export import run
from helpers_labelled import write_labelled
from lightly_contrawarp import load_backbone
from lightly_contrawarp.data.labelled import LabelledFolder
from lightly_contrawarp.export import onnx_model, recognition
from lightly_contrawarp.export.int8.weight_only import quantize_weights
from lightly_contrawarp.models.embedding.classifier import fit_temperature

COUNTS = {"angry": 14, "happy": 12, "Sad": 11}


def test_scores_are_those_of_the_linear_probe(
    small_checkpoint: Path, tmp_path: Path
) -> None:
    folder = write_labelled(tmp_path / "labelled", COUNTS)
    (folder / "happy" / "broken.png").write_bytes(b"no image")
    path = tmp_path / "m.onnx"
    result = run(small_checkpoint, "--onnx", path, "--labels", folder)
    assert result.exit_code == 3, result.output
    assert "1 images could not be read, the first: " in result.stderr
    model = Embedder(path)
    assert model.info.classes == ("happy", "sad", "anger")
    images = LabelledFolder(folder)
    rows = [row for row, name in enumerate(images.names) if "broken" not in name]
    labels = np.array(images.labels)[rows]
    outputs = model.run([images[row][0] for row in rows])
    assert outputs.scores.sum(axis=1) == pytest.approx(1, abs=1e-5)
    # Whatever the penalty and the temperature are, scores rank as its logits do.
    assert (outputs.scores.argmax(axis=1) == labels).mean() > 0.9
    scaled = StandardScaler().fit_transform(outputs.embeddings)
    logits = np.log(np.maximum(outputs.scores, 1e-30))
    agreements = []
    for c in 10.0 ** np.arange(-3, 4):
        probe = LogisticRegression(C=c, max_iter=1000).fit(scaled, labels)
        expected = probe.decision_function(scaled)
        pair = [x - x.mean(axis=1, keepdims=True) for x in (expected, logits)]
        agreements.append(np.corrcoef(*(x.ravel() for x in pair))[0, 1])
    assert max(agreements) > 0.999
    small = quantize_weights(path, model.info)
    small_path = tmp_path / "m.int8.onnx"
    small_path.write_bytes(onnx_model.with_metadata(small.content, small.info))
    quantized = Embedder(small_path)
    assert quantized.info.classes == model.info.classes
    again = quantized.run([images[row][0] for row in rows])
    assert again.scores == pytest.approx(outputs.scores, abs=0.1)
    card = path.with_suffix(".md").read_text()
    assert "| happy | 12 |" in card
    assert "expected\ncalibration error" in card
    assert "taught" not in card


def test_taught_embedding(
    small_checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write_labelled(tmp_path / "labelled", {"angry": 40, "happy": 40})
    monkeypatch.setattr(recognition, "retrieval", _Gaining([0.2, 0.3, 0.6]))
    path = tmp_path / "m.onnx"
    result = run(small_checkpoint, "--onnx", path, "--labels", folder, "--teach")
    assert result.exit_code == 0, result.output
    assert "taught: linear discriminants; P@10 of " in result.stdout
    assert "20.0 before, 60.0 after" in result.stdout
    info = Embedder(path).info
    assert info.dim == 1
    assert info.classes == ("happy", "anger")
    assert "The embedding is **taught**" in path.with_suffix(".md").read_text()
    before = set(tmp_path.iterdir())
    monkeypatch.setattr(recognition, "retrieval", _Gaining([0.6, 0.6, 0.5]))
    other = tmp_path / "other.onnx"
    result = run(small_checkpoint, "--onnx", other, "--labels", folder, "--teach")
    assert result.exit_code == 2
    assert result.stderr.splitlines()[-1].startswith("Error: ")
    assert "--teach: gains nothing: P@10 60.0 before, 60.0 after" in result.stderr
    assert set(tmp_path.iterdir()) == before


class _Gaining:
    """In place of `retrieval`: precisions in the order in which they are asked for."""

    def __init__(self, values: list[float]) -> None:
        self._values = iter(values)

    def __call__(self, *_: object) -> "_Gaining":
        self.precision_at_10, self.value = self, next(self._values)
        return self


def test_bad_labels(small_checkpoint: Path, tmp_path: Path) -> None:
    one = write_labelled(tmp_path / "one", {"angry": 3})
    single = write_labelled(tmp_path / "single", {"angry": 1, "happy": 3})
    odd = write_labelled(tmp_path / "odd", {"angry": 3, "happy": 3})
    (odd / "angry").rename(os.fsdecode(os.fsencode(odd) + b"/gr\xfcn"))
    path = tmp_path / "m.onnx"
    for options, message in [
        (("--labels", ""), "labelled images: give their folder"),
        (("--labels", odd), "odd: the class gr?n has a name that is no valid Unicode"),
        (("--labels", one), "one: only one class, anger"),
        (("--labels", tmp_path / "none"), "none: no such file or folder"),
        (("--teach",), "--teach needs --labels"),
    ]:
        one_line_error(run(small_checkpoint, "--onnx", path, *options), message)
    one_line_error(
        run(small_checkpoint, "--labels", single, "--safetensors", tmp_path / "w"),
        "--labels needs --onnx",
    )
    few = write_labelled(tmp_path / "few", {"angry": 9, "happy": 9})
    result = run(small_checkpoint, "--onnx", path, "--labels", few, "--teach")
    assert result.exit_code == 2
    assert "few: --teach: needs two held-out images of a class" in result.stderr
    assert "has 2 without near-duplicates of 2" in result.stderr
    result = run(small_checkpoint, "--onnx", path, "--labels", single)
    assert result.exit_code == 2
    assert "single: a classifier needs two training images each" in result.stderr
    assert not path.exists()


def test_class_folders_of_one_name_are_one_class(
    small_checkpoint: Path, tmp_path: Path
) -> None:
    folder = write_labelled(tmp_path / "labelled", {"angry": 6, "happy": 6})
    (folder / "anger").mkdir()
    (folder / "angry" / "0.png").rename(folder / "anger" / "0.png")
    backbone, info = load_backbone(small_checkpoint)
    found = recognition.fit_recognition(
        backbone, info.input_size, LabelledFolder(folder)
    )
    facts = found.labels.classifier.facts
    assert facts.images_by_class == {"happy": 6, "anger": 6}
    image = Image.new("RGB", (50, 40), (200, 60, 60))
    model = onnx_model.EmbeddingModel(backbone, info.input_size, found.labels)
    with torch.inference_mode():
        embedding, scores = model(torch.from_numpy(np.array(image))[None])
    assert embedding.norm().item() == pytest.approx(1, abs=1e-5)
    assert scores.sum().item() == pytest.approx(1, abs=1e-5)


def test_temperature_undoes_what_logits_were_scaled_by() -> None:
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(20_000, 4))
    powers = np.exp(logits)
    chances = powers / powers.sum(axis=1, keepdims=True)
    labels = (rng.random((20_000, 1)) > chances.cumsum(axis=1)).sum(axis=1)
    assert fit_temperature(3 * logits, labels) == pytest.approx(3, rel=0.05)


@pytest.mark.parametrize("count", [3, 30, 300])
def test_no_temperature_makes_images_that_are_all_right_certain(count: int) -> None:
    labels = np.arange(count) % 3
    logits = 5 * np.eye(3)[labels]
    scaled = logits / fit_temperature(logits, labels)
    powers = np.exp(scaled)
    likely = (powers / powers.sum(axis=1, keepdims=True)).max(axis=1)
    assert likely == pytest.approx((count + 1) / (count + 2), abs=1e-3)
