import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner, Result
from PIL import Image
from torch import nn

from contrawarp_edge.cli_errors import CleanGroup
from contrawarp_edge.errors import InputError
from lightly_contrawarp.cli.evaluate import evaluate_command
from lightly_contrawarp.files import atomic_write_text

COMPARE = "lightly_contrawarp.evaluation.compare"


@dataclass
class Info:
    name: str = "tiny"
    dim: int = 3
    input_size: int = 8


def _tiny() -> nn.Module:
    return nn.Sequential(nn.Conv2d(3, 3, 1), nn.AdaptiveAvgPool2d(1))


@pytest.fixture(autouse=True)
def fake_encoders(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(f"{COMPARE}.load_backbone", lambda path: (_tiny(), Info()))
    monkeypatch.setattr(f"{COMPARE}.build_backbone", lambda name: (_tiny(), 3))


@pytest.fixture
def data(tmp_path: Path) -> Path:
    for part, count in (("train", 12), ("validation", 4)):
        for name, shade in (("happy", 40), ("sad", 200)):
            folder = tmp_path / "data" / part / name
            folder.mkdir(parents=True)
            for index in range(count):
                pixels = np.full((8, 8, 3), shade + index, dtype=np.uint8)
                Image.fromarray(pixels).save(folder / f"{index}.png")
    return tmp_path / "data"


def _run(*arguments: object) -> Result:
    group = CleanGroup(commands=[evaluate_command])
    options = ("--workers", 0, "--device", "cpu")
    words = map(str, ("evaluate", "last.ckpt", *arguments, *options))
    return CliRunner().invoke(group, list(words))


def test_evaluate__table_and_json(data: Path, tmp_path: Path) -> None:
    output = tmp_path / "result.json"
    result = _run("--data", data, "--random-init", "--seed", 3, "--json", output)
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert [line.split("  ")[0] for line in lines] == [
        *("encoder", "last.ckpt", "tiny, random")
    ]
    report = json.loads(output.read_text())
    assert list(report["encoders"]) == ["last.ckpt", "tiny, random"]
    encoder = report["encoders"]["last.ckpt"]
    assert (encoder["backbone"], encoder["dim"]) == ("tiny", 3)
    assert encoder["settings"]["seeds"] == [3]
    assert encoder["settings"]["input_size"] == 8
    assert encoder["test"]["folder"] == str(data / "validation")


def test_evaluate__random_encoder_is_reproducible(data: Path, tmp_path: Path) -> None:
    reports = []
    for name in ("a.json", "b.json"):
        torch.rand(3)
        _run("--data", data, "--random-init", "--json", tmp_path / name)
        report = json.loads((tmp_path / name).read_text())
        reports.append(report["encoders"]["tiny, random"])
    assert reports[0] == reports[1]


def test_evaluate__named_folders_go_before_data(data: Path) -> None:
    (data / "test").mkdir()
    result = _run("--data", data, "--test", data / "validation")
    assert result.exit_code == 0, result.output


def test_evaluate__left_out_images_show_in_the_exit_code(data: Path) -> None:
    (data / "train" / "sad" / "0.png").write_bytes(b"no image")
    result = _run("--data", data)
    assert result.exit_code == 3
    assert "1 unreadable images left out, the first: " in result.stderr
    assert "last.ckpt" in result.stdout


def test_evaluate__bad_input_is_one_line(data: Path, tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    cases = [
        ((), "give --train and --test, or --data"),
        (("--train", data / "train"), "give --train and --test, or --data"),
        (("--data", tmp_path / "no"), "no: no such folder"),
        (("--data", empty), "holds none of validation, test, val"),
        (("--train", empty, "--test", empty), "no image in this folder"),
        (("--train", data, "--test", data), "train, validation is a part of"),
        (("--data", data, "--json", empty / "a" / "b.json"), "does not exist"),
    ]
    for arguments, message in cases:
        result = _run(*arguments)
        assert result.exit_code == 2, result.output
        assert len(result.stderr.splitlines()) == 1, result.stderr
        assert message in result.stderr


def test_evaluate__two_test_folders(data: Path) -> None:
    (data / "test").mkdir()
    result = _run("--data", data)
    assert result.exit_code == 2
    assert "holds validation and test; choose with --test" in result.stderr


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
