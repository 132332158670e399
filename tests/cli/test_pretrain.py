"""contrawarp pretrain: what it leaves, and how it refuses."""

import csv
import json
import os
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner, Result
from lightning_fabric.utilities.exceptions import MisconfigurationException
from PIL import Image

from helpers import one_line_error, pretrain_words, read, run_pretrain
from lightly_contrawarp import ContraWarp, load_backbone
from lightly_contrawarp.cli import main
from lightly_contrawarp.data.folders import ImageScan
from lightly_contrawarp.training.pretrain import PretrainResult
from lightly_contrawarp.training.settings import PretrainSettings

NAMED = ("--backbone", "shufflenet_v2_x0_5")
"""One of torchvision's encoders."""


def same_weights(first: Path, second: Path) -> bool:
    a, b = (read(out)["state_dict"] for out in (first, second))
    assert a.keys() == b.keys()
    return all(torch.equal(a[key], b[key]) for key in a)


@pytest.fixture(scope="module")
def finished(
    pil_faces: list[Image.Image], tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, Path, Result]:
    """A folder of 24 faces, and a run of one epoch on it."""
    root = tmp_path_factory.mktemp("finished")
    (root / "faces").mkdir()
    for index, face in enumerate(pil_faces):
        face.save(root / "faces" / f"{index:02}.png")
    result = run_pretrain(root / "faces", root / "run", *NAMED)
    return root / "faces", root / "run", result


def test_command_and_module_have_the_same_defaults(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[PretrainSettings] = []

    def pretrain(
        folder: Path, out: Path, settings: PretrainSettings, **_: object
    ) -> PretrainResult:
        given.append(settings)
        return PretrainResult(out / "last.ckpt", ImageScan([], []), out / "skipped.tsv")

    monkeypatch.setattr("lightly_contrawarp.training.pretrain.pretrain", pretrain)
    arguments = ["pretrain", str(tmp_path), "--out", str(tmp_path / "run")]
    assert CliRunner().invoke(main, arguments).exit_code == 0
    assert given == [PretrainSettings()]
    hparams, settings = ContraWarp().hparams, asdict(given[0])
    own = {"align", "batch_size", "precision", "centres", "neighbours", "seed"}
    common = settings.keys() - own - {"training_images"}
    assert hparams == {"backbone_dim": None} | {key: settings[key] for key in common}


def test_a_run_leaves_checkpoint_settings_and_logs(
    finished: tuple[Path, Path, Result],
) -> None:
    _, out, result = finished
    assert result.exit_code == 0, result.output
    assert result.stdout == f"{out / 'last.ckpt'}: trained on 24 images\n"
    bar = result.stderr.replace("\r", "\n").splitlines()
    assert all("step" in line for line in bar if line), result.stderr
    names = {"last.ckpt", "settings.json", "skipped.tsv", "csv", "tensorboard"}
    assert {path.name for path in out.iterdir()} == names
    assert list((out / "tensorboard" / "version_0").glob("events.out.tfevents.*"))
    assert (out / "skipped.tsv").read_text() == ""
    _, info = load_backbone(out / "last.ckpt")
    assert info.training_images == "a folder named faces; 24 images"
    settings = json.loads((out / "settings.json").read_text())
    assert settings["backbone"] == "shufflenet_v2_x0_5"
    assert (settings["input_size"], settings["num_negatives"]) == (32, 1)
    with (out / "csv" / "version_0" / "metrics.csv").open(newline="") as table:
        first, last = csv.DictReader(table)
    assert (first["step"], last["step"]) == ("0", "2")
    assert 0.1 < float(first["warp/strength"]) < 0.4
    assert 0 < float(last["train/loss"]) < 20


def test_the_checkpoint_loads(finished: tuple[Path, Path, Result]) -> None:
    _, out, _ = finished
    backbone, info = load_backbone(out / "last.ckpt")
    assert (info.name, info.input_size) == ("shufflenet_v2_x0_5", 32)
    features = backbone(torch.zeros(2, 3, 32, 32))
    assert features.shape == (2, info.dim)
    assert features.isfinite().all()
    assert read(out)["global_step"] == 3


def test_the_seed_decides_the_weights(
    finished: tuple[Path, Path, Result], tmp_path: Path
) -> None:
    folder, out, _ = finished
    torch.rand(3)  # what happened before does not matter
    for name, seed in (("same", 0), ("other", 1)):
        words = (*NAMED, "--seed", seed, "--training-images", "drawn")
        assert run_pretrain(folder, tmp_path / name, *words).exit_code == 0
    _, info = load_backbone(tmp_path / "same" / "last.ckpt")
    assert info.training_images == "drawn; 24 images"
    assert same_weights(out, tmp_path / "same")
    assert not same_weights(out, tmp_path / "other")


@pytest.mark.parametrize("workers", [0, 1])
def test_workers_can_make_the_views(
    workers: int, face_folder: Path, tmp_path: Path
) -> None:
    broken = face_folder / "b" / "05.png"
    broken.write_bytes(broken.read_bytes()[:1000])
    options = ("--views", "workers", "--workers", workers)
    for name in ("one", "same"):
        result = run_pretrain(face_folder, tmp_path / name, *options)
        assert result.exit_code == 3, result.output
        assert "trained on 23 images" in result.stdout
    assert same_weights(tmp_path / "one", tmp_path / "same")
    result = run_pretrain(face_folder, tmp_path / "one", "--resume", "--epochs", 2)
    assert result.exit_code == 3, result.output  # on the device now
    assert read(tmp_path / "one")["global_step"] == 6


def test_a_compiled_run_leaves_the_same_checkpoint(
    finished: tuple[Path, Path, Result],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    folder, out, _ = finished
    called: list[str] = []
    compiler = torch.nn.Module.compile

    def compile_module(self: torch.nn.Module) -> None:
        called.append(type(self).__name__)
        compiler(self, backend="eager")

    monkeypatch.setattr(torch.nn.Module, "compile", compile_module)
    monkeypatch.setenv("CXX", sys.executable)  # anything that is there
    result = run_pretrain(folder, tmp_path / "run", "--compile", *NAMED)
    assert result.exit_code == 0, result.output
    assert called == ["ShuffleNetV2"]
    assert read(tmp_path / "run")["state_dict"].keys() == read(out)["state_dict"].keys()
    assert same_weights(tmp_path / "run", out)
    monkeypatch.setenv("CXX", "no-such-compiler")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    result = run_pretrain(folder, tmp_path / "none", "--compile")
    one_line_error(result, "--compile needs a C++ compiler on a CPU; install g++")


@pytest.mark.parametrize("workers", [0, 1])
def test_broken_files_are_skipped_and_listed(
    workers: int, face_folder: Path, tmp_path: Path
) -> None:
    empty, text, cut = (face_folder / f for f in ("a/00.png", "b/03.png", "b/05.png"))
    empty.write_bytes(b"")
    text.write_bytes(b"no image")
    cut.write_bytes(cut.read_bytes()[:1000])  # the header is sound
    for name in ("IMG_1.JXL", "clip.mov"):
        (face_folder / "b" / name).touch()
    options = ("--batch-size", 11, "--workers", workers)
    result = run_pretrain(face_folder, tmp_path / "run", *options)
    assert result.exit_code == 3, result.output
    assert "trained on 21 images" in result.stdout
    *_, others, last = result.stderr.splitlines()
    assert last.startswith(f"3 files skipped, the first: {empty}: ")
    assert others.startswith("not looked at: ")
    assert others.endswith(", 1 .jxl")
    assert "1 video (contrawarp-edge align --every" in others
    assert "Warning" not in result.stderr
    lines = (tmp_path / "run" / "skipped.tsv").read_text().splitlines()
    paths, reasons = zip(*(line.split("\t") for line in lines), strict=True)
    assert paths == (str(empty), str(text), str(cut))
    assert all(reasons)


def test_names_that_are_no_text_are_listed_too(
    face_folder: Path, tmp_path: Path
) -> None:
    try:
        Path(face_folder, os.fsdecode(b"\xff\t\n.png")).touch()
    except OSError:
        pytest.skip("this file system has no such names")
    result = run_pretrain(face_folder, tmp_path / "run")
    assert result.exit_code == 3, result.output
    (line,) = (tmp_path / "run" / "skipped.tsv").read_text().splitlines()
    assert line.startswith(f"{face_folder}/???.png\t")


def folder_of(kind: str, root: Path) -> Path:
    folder = root / "images"
    if kind != "missing":
        folder.mkdir()
    if kind in ("one image", "one whole image"):
        Image.new("RGB", (40, 40)).save(folder / "0.png")
    for name in "123":
        path = folder / f"{name}.png"
        if kind == "three texts":
            path.write_text("no image")
        if kind in ("three cut images", "one whole image"):
            Image.effect_noise((64, 64), 90).save(path)
            path.write_bytes(path.read_bytes()[:1000])
    return folder


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("missing", "images: no such file or folder"),
        ("empty", "images: no image in this folder; looked for .bmp, .jpeg"),
        ("three texts", "not one of 3 files is a readable image: "),
        ("three cut images", "not one of 3 files is a readable image: "),
        ("one image", "images: holds one readable image; at least 2 are needed"),
        ("one whole image", "holds one readable image; at least 2 are needed"),
    ],
)
def test_a_folder_without_enough_images(
    kind: str, message: str, tmp_path: Path
) -> None:
    out = tmp_path / "run"
    one_line_error(run_pretrain(folder_of(kind, tmp_path), out), message)
    assert not out.exists()


def test_options_that_cannot_be_met(
    face_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "run"
    result = run_pretrain(face_folder, out, "--backbone", "resnet19")
    one_line_error(result, "unknown backbone 'resnet19': torchvision has no such")
    result = run_pretrain(face_folder, out, "--devices", 13)
    one_line_error(result, "24 images are too few for 13 devices")

    def trainer(**settings: object) -> None:
        raise MisconfigurationException("You requested gpu: [0, 1]\n But: [0]")

    monkeypatch.setattr("lightly_contrawarp.training.pretrain.Trainer", trainer)
    result = run_pretrain(face_folder, out, "--devices", 2)
    one_line_error(result, "You requested gpu: [0, 1] But: [0]")
    assert not out.exists()


def test_out_has_to_be_a_folder(face_folder: Path, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("mine")
    one_line_error(
        run_pretrain(face_folder, file), "is a file; --out has to be a folder"
    )
    one_line_error(run_pretrain(face_folder, file / "run"), "run: Not a directory")
    assert file.read_text() == "mine"


@pytest.mark.slow
@pytest.mark.skipif(torch.cuda.is_available(), reason="needs as many GPUs")
def test_two_processes_speak_with_one_voice(face_folder: Path, tmp_path: Path) -> None:
    script = tmp_path / "contrawarp.py"  # Lightning starts the other process from it
    script.write_text("from lightly_contrawarp.cli import main\nmain()\n")
    (face_folder / "a" / "broken.png").touch()
    arguments = pretrain_words(
        face_folder, tmp_path / "run", "--devices", 2, "--batch-size", 6
    )
    done = subprocess.run(
        [sys.executable, script, *arguments], capture_output=True, text=True
    )
    assert done.returncode == 3, done.stderr
    assert done.stdout == f"{tmp_path / 'run' / 'last.ckpt'}: trained on 24 images\n"
    assert "distributed" not in done.stderr
    assert done.stderr.count("files skipped") == 1
    assert read(tmp_path / "run")["global_step"] == 2
