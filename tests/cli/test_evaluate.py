import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner, Result
from PIL import Image
from torch import nn

from contrawarp_edge.core.command import CleanGroup
from contrawarp_edge.core.errors import InputError
from contrawarp_edge.core.files import atomic_write_text
from helpers import one_line_error, save_image
from lightly_contrawarp.cli.evaluate import evaluate_command
from lightly_contrawarp.evaluation.measures.registry import SEARCH_MEASURES
from lightly_contrawarp.evaluation.results import Results

OPENING = "lightly_contrawarp.evaluation.encoders.opening"
UNTRAINED = "lightly_contrawarp.evaluation.encoders.untrained"


@dataclass
class Info:
    name: str = "tiny"
    dim: int = 3
    input_size: int = 8
    commercial_use: str = "unknown"


def _tiny() -> nn.Module:
    return nn.Sequential(nn.Conv2d(3, 3, 1), nn.AdaptiveAvgPool2d(1))


@pytest.fixture(autouse=True)
def fake_encoders(monkeypatch: pytest.MonkeyPatch) -> None:
    for load in ("load_backbone", "load_embedding"):
        monkeypatch.setattr(f"{OPENING}.{load}", lambda path: (_tiny(), Info()))
    monkeypatch.setattr(f"{UNTRAINED}.build_backbone", lambda name: (_tiny(), 3))


@pytest.fixture
def data(tmp_path: Path) -> Path:
    for part, count in (("train", 12), ("validation", 4)):
        for name, shade in (("happy", 40), ("sad", 200)):
            folder = tmp_path / "data" / part / name
            folder.mkdir(parents=True)
            for index in range(count):
                pixels = np.full((8, 8, 3), shade + index, dtype=np.uint8)
                image = Image.fromarray(pixels)
                image.save(folder / f"p{index % 2}_{index}.png")
    return tmp_path / "data"


def _run(*arguments: object, model: object = "last.ckpt") -> Result:
    group = CleanGroup(commands=[evaluate_command])
    options = ("--workers", 0, "--device", "cpu")
    words = map(str, ("evaluate", model, *arguments, *options))
    return CliRunner().invoke(group, list(words))


def test_evaluate__table_json_and_page(data: Path, tmp_path: Path) -> None:
    output, page = tmp_path / "result.json", tmp_path / "report.html"
    result = _run(
        *("--data", data, "--random-init", "--seed", 3, "--few-label"),
        *("--identity-pattern", r"p(\d)_", "--json", output, "--html", page),
    )
    assert result.exit_code == 0, result.output
    blocks = [block.splitlines() for block in result.stdout.strip().split("\n\n")]
    titles = [block[0].split("  ")[0] for block in blocks]
    assert titles == [
        *("Linear probe", "Nearest neighbours", "Few labels", "Retrieval"),
        *("Retrieval, other people", "Expression verification"),
        *("Nearest of all others", "Identity leakage"),
    ]
    for block in blocks:
        names = [line.split("  ")[0] for line in block[1:3]]
        assert names == ["last.ckpt", "tiny, random"]
    report = json.loads(output.read_text())
    assert list(report["encoders"]) == ["last.ckpt", "tiny, random"]
    encoder = report["encoders"]["last.ckpt"]
    assert (encoder["backbone"], encoder["dim"]) == ("tiny", 3)
    assert encoder["encoder"]["input_size"] == 8
    assert report["settings"]["seeds"] == [3]
    assert report["data"]["test"]["root"] == str(data / "validation")
    assert report["data"]["test"]["people"] == 2
    assert "last.ckpt" in page.read_text()
    assert "0 pairs of near-duplicates and 96 pairs that show one" in result.stderr


def test_evaluate__searched_sets_beside_probes(data: Path, tmp_path: Path) -> None:
    for index, label in enumerate("abab"):
        for person in range(3):
            colour = (10 * index, 40 * person, 90)
            save_image(
                tmp_path / "faces/test" / label / f"id{person}_{index}.png", colour
            )
    output, page = tmp_path / "result.json", tmp_path / "report.html"
    search = ("--search", f"ours={tmp_path / 'faces'}", "--identity-pattern", r"id(\d)")
    result = _run(
        *("--data", data, *search, "--search", tmp_path / "faces" / "test"),
        *("--json", output, "--html", page),
    )
    assert result.exit_code == 0, result.output
    assert "Warning: without people: " in result.stderr
    assert "Only searched: ours\n\nRetrieval, other people" in result.stdout
    report = json.loads(output.read_text())
    assert list(report["searched"]) == ["ours", "test"]
    assert report["searched"]["ours"]["test"]["people"] == 3
    assert report["data"]["test"]["people"] is None
    encoder = report["encoders"]["last.ckpt"]
    taken = SEARCH_MEASURES.keys() - {"recognition"}  # a checkpoint has no scores
    assert encoder["searched"]["ours"].keys() == {*taken, "omitted"}
    assert encoder["searched"]["ours"] == encoder["searched"]["test"]
    assert Results.from_dict(report).to_dict().keys() == report.keys()
    assert "Only searched: ours" in page.read_text()

    alone = _run(*search, "--json", output)
    assert alone.exit_code == 0, alone.output
    assert "Linear probe" not in alone.stdout
    report = json.loads(output.read_text())
    assert report["data"] is None
    assert json.loads(json.dumps(Results.from_dict(report).to_dict())) == report


def test_evaluate__searched_sets_too_small_or_missing(tmp_path: Path) -> None:
    for label in "ab":
        save_image(tmp_path / "faces" / label / "id1_.png")
    (tmp_path / "two" / "train").mkdir(parents=True)
    (tmp_path / "two" / "test").mkdir()
    faces, pattern = tmp_path / "faces", ("--identity-pattern", r"id(\d)")
    result = _run("--search", faces, *pattern)
    assert result.exit_code == 0, result.output
    assert "last.ckpt, faces: no nearest: what is nearest needs two" in result.stderr
    assert len(result.stderr.splitlines()) >= 4
    for words, message in (
        (("--search", faces), "--search needs --identity-pattern"),
        (("--search", faces, "--identity-pattern", "q(.)"), "finds nobody in it"),
        (("--search", faces, "--search", f"faces={faces}", *pattern), "given twice"),
        (("--search", f"={faces}", *pattern), "has no name"),
        (("--search", tmp_path / "no", *pattern), "no: is no folder"),
        (("--search", "a" * 300, *pattern), "aaa: is no folder"),
        (("--search", f"x={'a' * 300}", *pattern), "aaa: is no folder"),
        (("--search", faces, *pattern, "--part", "test"), "--part chooses a split of"),
        (("--search", tmp_path / "two", *pattern), "holds train and test; give one"),
        (("--search", faces / "a", *pattern), "this image is in no class folder"),
        (("--search", faces, *pattern, "--few-label"), "need a set: give --data"),
    ):
        one_line_error(_run(*words), message)


def test_evaluate__random_encoder_is_reproducible(data: Path, tmp_path: Path) -> None:
    reports = []
    for name in ("a.json", "b.json"):
        torch.rand(3)
        _run("--data", data, "--random-init", "--json", tmp_path / name)
        report = json.loads((tmp_path / name).read_text())
        reports.append(report["encoders"]["tiny, random"])
    assert reports[0] == reports[1]


def test_evaluate__named_folders_go_before_data(data: Path, tmp_path: Path) -> None:
    (data / "test").mkdir()
    output = tmp_path / "result.json"
    result = _run("--data", data, "--test", data / "train", "--json", output)
    assert result.exit_code == 0, result.output
    roots = json.loads(output.read_text())["data"]
    assert roots["train"]["root"] == roots["test"]["root"] == str(data / "train")


def test_evaluate__cache_gives_the_same_numbers(data: Path, tmp_path: Path) -> None:
    # The stand-in for a checkpoint has other weights each time, but for the seed.
    outputs = []
    for name in ("a.json", "b.json"):
        torch.manual_seed(0)
        options = ("--cache", tmp_path / "cache", "--json", tmp_path / name)
        assert _run("--data", data, *options).exit_code == 0
        outputs.append(json.loads((tmp_path / name).read_text()))
    assert outputs[0] == outputs[1]
    assert len(list((tmp_path / "cache").glob("*.npz"))) == 2


def test_evaluate__spatial_features_and_fine_tuning(data: Path, tmp_path: Path) -> None:
    output = tmp_path / "result.json"
    result = _run(
        *("--data", data, "--features", "spatial", "--json", output),
        *("--finetune", "--finetune-epochs", 1, "--finetune-lr", 0.3),
    )
    assert result.exit_code == 0, result.output
    encoder = json.loads(output.read_text())["encoders"]["last.ckpt"]
    assert encoder["dim"] == 27
    assert encoder["encoder"]["features"] == "spatial, 3 x 3 cells"
    assert encoder["fine_tuning"]["settings"]["lr"] == 0.3
    assert "Fine-tuning" in result.stdout


def test_evaluate__triplets(data: Path, tmp_path: Path) -> None:
    face = "https://a.example/{}.png,0,1,0,1"
    for name, shade in (("a", 10), ("b", 20), ("c", 250)):
        Image.new("RGB", (20, 20), (shade, 30, 30)).save(tmp_path / f"{name}.png")
    faces = ",".join(face.format(name) for name in "abc")
    table = tmp_path / "faceexp-comparison-data-test-public.csv"
    table.write_text(f"{faces},TWO_CLASS_TRIPLET,x,3,y,3\n")
    result = _run("--data", data, "--fec", table, tmp_path)
    assert result.exit_code == 0, result.output
    assert "two class" in result.stdout


def test_evaluate__left_out_images_show_in_the_exit_code(data: Path) -> None:
    (data / "train" / "sad" / "p0_0.png").write_bytes(b"no image")
    result = _run("--data", data)
    assert result.exit_code == 3
    assert "1 unreadable images left out, the first: " in result.stderr
    assert "last.ckpt" in result.stdout


def test_evaluate__what_could_not_be_measured_is_said(data: Path) -> None:
    for path in (data / "validation").rglob("*_[123].png"):
        path.unlink()
    result = _run("--data", data)
    assert result.exit_code == 0
    assert "last.ckpt: no retrieval: retrieval needs two images" in result.stderr


def test_evaluate__incomplete_copies_are_warned_of(data: Path) -> None:
    result = _run("--data", f"fer2013={data}")
    assert result.exit_code == 0, result.output
    warnings = [x for x in result.stderr.splitlines() if x.startswith("Warning: ")]
    assert len(warnings) == 2
    assert "fer2013 train" in warnings[0]


def test_evaluate__bad_input_is_one_line(data: Path, tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    (tmp_path / "file").write_text("")
    cases = [
        ((), "give --train and --test, or --data"),
        (("--train", data / "train"), "give --train and --test, or --data"),
        (("--data", tmp_path / "no"), "no: no such file or folder"),
        (("--data", f"nosuchset={data}"), "nosuchset is no known set"),
        (("--data", "a" * 300), "aaa: no such file or folder"),
        (("--data", f"x={'a' * 300}"), "x is no known set"),
        (("--data", f"fer2013={'a' * 300}"), "aaa: no such file or folder"),
        (("--train", data, "--test", data, "--part", "test"), "--part chooses a split"),
        (("--data", empty), "expected train/ and validation/ or test/ in it"),
        (("--data", data, "--part", "test"), "has no split test"),
        (("--train", empty, "--test", empty), "no image in this folder"),
        (("--train", data, "--test", data), "train, validation is a split of"),
        (("--data", data, "--json", empty / "a" / "b.json"), "does not exist"),
        (("--data", data, "--html", empty), "is a folder; give a file"),
        (("--data", data, "--cache", tmp_path / "file"), "has to be a folder"),
        (("--data", data, "--identity-pattern", "("), "identity pattern '('"),
        (("--data", data, "--identity-pattern", "q(.)"), "finds nobody in it"),
        (("--data", data, "--fec", tmp_path / "no.csv", empty), "no.csv: no such file"),
        (("--data", data, "last.ckpt"), "given twice"),
    ]
    for arguments, message in cases:
        one_line_error(_run(*arguments), message)
    (data / "test" / "happy").mkdir(parents=True)
    one_line_error(_run("--data", data), "has validation and test; choose with --part")
    one_line_error(
        _run("--data", data, "--part", "validation", model=tmp_path / "no.onnx"),
        "no.onnx: no such model",
    )


def test_evaluate__missing_device(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    arguments = ["last.ckpt", "--data", str(data), "--device", "cuda"]
    with pytest.raises(InputError, match="device cuda: not available"):
        CliRunner().invoke(evaluate_command, arguments, catch_exceptions=False)


def test_atomic_write_text__replaces_or_keeps(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.txt"
    atomic_write_text(path, "old")
    atomic_write_text(path, "ä")
    assert path.read_text(encoding="utf-8") == "ä"

    def full_disk(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full_disk)
    with pytest.raises(InputError, match=r"a\.txt: .*No space left"):
        atomic_write_text(path, "new")
    assert path.read_text(encoding="utf-8") == "ä"
    assert list(tmp_path.iterdir()) == [path]
