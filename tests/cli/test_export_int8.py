"""contrawarp-export: int8, weights and the model card, together or not at all."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from contrawarp_edge import Embedder
from helpers import one_line_error
from helpers_export import run, save_checkpoint
from lightly_contrawarp import ContraWarp, load_backbone
from lightly_contrawarp.data.synthetic import draw_parameters, render_faces
from lightly_contrawarp.evaluation.encoders.encoders import TorchEncoder
from lightly_contrawarp.export.int8 import speed
from lightly_contrawarp.export.model_card.card import MARK

BROKEN = 2


@pytest.fixture(autouse=True)
def _quick(convert_once: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(speed, "_SECONDS", 0.0)
    monkeypatch.setattr(speed, "_MIN_ROUNDS", 3)


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """220 drawn faces, of which some are broken."""
    folder = tmp_path_factory.mktemp("photos")
    faces = render_faces(draw_parameters(220, num_identities=110, seed=4), size=32)
    for index, face in enumerate(faces):
        Image.fromarray(face.permute(1, 2, 0).numpy()).save(folder / f"{index:03}.png")
    for index in range(BROKEN):
        (folder / f"broken{index}.png").write_bytes(b"no picture")
    return folder


@pytest.fixture(scope="module")
def labelled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    rng = np.random.default_rng(0)
    root = tmp_path_factory.mktemp("labelled")
    for part, count in (("train", 8), ("test", 4)):
        for level, label in ((60, "happy"), (120, "sad"), (180, "anger")):
            (root / part / label).mkdir(parents=True)
            for index in range(count):
                noise = rng.integers(level - 40, level + 40, (16, 16, 3), np.uint8)
                Image.fromarray(noise).save(root / part / label / f"{index}.png")
    return root


@pytest.fixture(scope="module")
def checkpoint(photos: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    model = ContraWarp("small", input_size=24, commercial_use="no")
    images = [Image.open(path).resize((24, 24)) for path in sorted(photos.glob("0*"))]
    batch = torch.from_numpy(np.stack([np.array(image) for image in images]))
    with torch.no_grad():  # statistics of real activations
        for _ in range(20):
            model.train()(batch.permute(0, 3, 1, 2) / 64.0 - 2)
    return save_checkpoint(model, tmp_path_factory.mktemp("model") / "last.ckpt")


@pytest.mark.slow
def test_everything_at_once(
    checkpoint: Path, photos: Path, labelled: Path, tmp_path: Path
) -> None:
    path, weights = tmp_path / "model.onnx", tmp_path / "weights.safetensors"
    facts = tmp_path / "report.json"
    result = run(
        checkpoint, "--onnx", path, "--int8", "--calibrate", photos, "--data",
        labelled, "--report", facts, "--safetensors", weights,
    )  # fmt: skip
    assert result.exit_code == 3, result.output
    assert f"{BROKEN} images could not be read, the first: {photos}" in result.stderr

    int8 = tmp_path / "model.int8.onnx"
    fp32_info, int8_info = Embedder(path).info, Embedder(int8).info
    assert (fp32_info.precision, int8_info.precision) == ("fp32", "int8")
    names = {"model.onnx", "model.int8.onnx", "model.md", facts.name, weights.name}
    assert {p.name for p in tmp_path.iterdir()} == names
    backbone, info = load_backbone(checkpoint)
    assert load_file(weights).keys() == backbone.state_dict().keys()

    told = json.loads(facts.read_text())
    assert told["int8"] == {
        "file": str(int8),
        "bytes": int8.stat().st_size,
        "precision": "int8",
        "fingerprint": int8_info.fingerprint,
    }
    assert told["fp32"]["fingerprint"] == fp32_info.fingerprint
    images = told["calibration"]["images"], told["agreement"]["images"]
    assert sum(images) in range(220 - 3, 220 + 1)  # whole chunks calibrate
    assert len(told["unreadable"]) == BROKEN
    assert [batch["batch"] for batch in told["speed"]["batches"]] == [1, 32]
    assert told["agreement"]["overlap"]["value"] > 0.95
    assert (told["quantized"], told["passed_over"]) == ("weights and activations", None)
    assert list(told["tasks"]["encoders"]) == ["model.onnx", "model.int8.onnx"]
    for name, measured in told["tasks"]["encoders"].items():
        assert measured["encoder"]["source"] == str(tmp_path / name)
        assert f"\n{name}  " in result.stdout
        assert measured["linear_probe"]["accuracy"] > 0.5
        assert [knn["k"] for knn in measured["knn"]] == [5, 20, 200]

    card = (tmp_path / "model.md").read_text()
    for fingerprint in (
        fp32_info.fingerprint,
        int8_info.fingerprint,
        TorchEncoder(backbone, info.input_size).info.fingerprint,
    ):
        assert fingerprint in card
    assert "Errors by class" in card


def test_activations_stay_in_fp32_where_8_bits_lose_too_much(
    checkpoint: Path,
    photos: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    path, facts = tmp_path / "model.onnx", tmp_path / "report.json"
    words = [
        checkpoint, "--onnx", path, "--int8", "--calibrate", photos, "--report", facts,
    ]  # fmt: skip
    assert run(*words).exit_code == 3
    both = json.loads(facts.read_text())
    monkeypatch.setattr("lightly_contrawarp.export.int8.build.ENOUGH_OVERLAP", 1.1)
    result = run(*words)
    assert result.exit_code == 3, result.output
    assert f"{BROKEN} images could not be read" in result.stderr
    told = json.loads(facts.read_text())
    assert told["quantized"] == "weights"
    assert told["calibration"]["images"] == 0
    assert told["passed_over"] == both["agreement"]
    overlaps = [one["agreement"]["overlap"]["value"] for one in (both, told)]
    assert overlaps[0] < overlaps[1]
    info = Embedder(tmp_path / "model.int8.onnx").info
    assert told["int8"]["fingerprint"] == info.fingerprint
    assert info.fingerprint != both["int8"]["fingerprint"]
    note = "Only weights have 8 bits, because with activations of 8 bits too, 9"
    assert note in result.stdout
    assert note in (tmp_path / "model.md").read_text().replace("\n", " ")


def test_too_great_a_loss_is_refused(
    checkpoint: Path,
    photos: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("lightly_contrawarp.export.int8.build.MIN_OVERLAP", 1.1)
    path = tmp_path / "model.onnx"
    path.write_text("what was there before")
    words = [checkpoint, "--onnx", path, "--int8", "--calibrate", photos]
    one_line_error(
        run(*words), "model.int8.onnx: not written, because it finds only 0.9"
    )
    assert path.read_text() == "what was there before"
    assert list(tmp_path.iterdir()) == [path]
    result = run(*words, "--force", "--no-card")
    assert result.exit_code == 3, result.output
    assert {p.name for p in tmp_path.iterdir()} == {"model.onnx", "model.int8.onnx"}


def test_weights_alone(checkpoint: Path, tmp_path: Path) -> None:
    path = tmp_path / "weights.safetensors"
    result = run(checkpoint, "--safetensors", path)
    assert result.exit_code == 0, result.output
    card = tmp_path / "weights.md"
    assert result.stdout.splitlines()[-1] == f"{card}: model card"
    assert set(tmp_path.iterdir()) == {path, card}


def test_a_card_of_ones_own_is_kept(checkpoint: Path, tmp_path: Path) -> None:
    path, card = tmp_path / "weights.safetensors", tmp_path / "weights.md"
    card.write_text("# My own words\n")
    result = run(checkpoint, "--safetensors", path)
    one_line_error(result, "weights.md: is no model card of contrawarp-export; move it")
    assert not path.exists()
    assert run(checkpoint, "--safetensors", path, "--no-card").exit_code == 0
    assert card.read_text() == "# My own words\n"
    card.write_text(f"{MARK}\nan earlier one")
    assert run(checkpoint, "--safetensors", path).exit_code == 0
    assert "# Model card: small" in card.read_text()
    card.unlink()
    card.mkdir()
    one_line_error(run(checkpoint, "--safetensors", path), "weights.md: is a folder")


def test_an_evaluation_of_another_model_writes_nothing(
    checkpoint: Path, tmp_path: Path
) -> None:
    path = tmp_path / "weights.safetensors"
    for content, message in [
        ("{", "e.json: no JSON"),
        ("{}", "e.json: not written by contrawarp evaluate --json"),
    ]:
        evaluation = tmp_path / "e.json"
        evaluation.write_text(content)
        result = run(checkpoint, "--safetensors", path, "--evaluation", evaluation)
        one_line_error(result, message)
    assert list(tmp_path.iterdir()) == [evaluation]


def test_options_that_do_not_fit(
    checkpoint: Path, photos: Path, tmp_path: Path
) -> None:
    path = tmp_path / "model.onnx"
    few = tmp_path / "few"
    few.mkdir()
    shutil.copy(photos / "000.png", few)
    int8 = ("--onnx", path, "--int8", "--calibrate")
    for words, message in [
        ((), "give --onnx or --safetensors"),
        (("--onnx", path, "--int8"), "--int8 needs --onnx and --calibrate FOLDER"),
        (("--safetensors", path, "--int8", "--calibrate", few), "--int8 needs --onnx"),
        (("--onnx", path, "--calibrate", few), "belong to --int8"),
        (("--onnx", path, "--force"), "belong to --int8"),
        ((*int8, few), "few: 1 images are too few; give at least 200"),
        ((*int8, tmp_path / "none"), "none: no such file or folder"),
        ((*int8, photos, "--data", "nothing"), "nothing: no such file or folder"),
        ((*int8, photos, "--part", "test"), "--part goes with --data"),
        ((*int8, photos, "--report", tmp_path), "is a folder; --report has to be a"),
        (("--onnx", path, "--safetensors", path), "model.onnx: is named for two files"),
        (("--onnx", tmp_path / "a.md"), "a.md: is named for two files"),
        ((*int8, photos, "--report", tmp_path / "model.int8.onnx"), "for two files"),
        (("--onnx", path, "--no-card", "--evaluation", path), "leave out --no-card"),
    ]:
        one_line_error(run(checkpoint, *words), message)
    assert list(tmp_path.iterdir()) == [few]
