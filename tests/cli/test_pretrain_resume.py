"""contrawarp pretrain --resume: after a finished, stopped, killed or failed run."""

import csv
import errno
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from helpers import one_line_error, pretrain_words, read, run_pretrain
from lightly_contrawarp import ContraWarp


@pytest.fixture(scope="module")
def finished(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a run of one epoch left."""
    out = tmp_path_factory.mktemp("finished") / "run"
    assert run_pretrain(folder, out).exit_code == 0
    return out


@pytest.fixture
def out(finished: Path, tmp_path: Path) -> Path:
    """The same, to go on with."""
    shutil.copytree(finished, tmp_path / "run")
    return tmp_path / "run"


def test_a_run_is_not_overwritten(folder: Path, out: Path) -> None:
    before = (out / "last.ckpt").read_bytes()
    one_line_error(run_pretrain(folder, out), "already holds a run; add --resume")
    assert (out / "last.ckpt").read_bytes() == before


def test_resume_goes_on_until_the_epochs_are_done(folder: Path, out: Path) -> None:
    result = run_pretrain(folder, out, "--resume", "--epochs", 3)
    assert result.exit_code == 0, result.output
    assert read(out)["global_step"] == 9
    with (out / "csv" / "version_1" / "metrics.csv").open(newline="") as table:
        rows = [row for row in csv.DictReader(table) if row["train/loss"]]
    assert [row["step"] for row in rows] == ["5", "8"]
    result = run_pretrain(folder, out, "--resume", "--epochs", 3)
    assert result.exit_code == 0, result.output
    for epochs in (2, 1):
        one_line_error(
            run_pretrain(folder, out, "--resume", "--epochs", epochs),
            f"has done 3 epochs, more than --epochs {epochs}",
        )
    assert read(out)["global_step"] == 9


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--lr", 0.1), "was started with lr=0.003, not 0.1"),
        (("--align",), "was started with align=False, not True"),
        (("--commercial-use", "yes"), "commercial_use=unknown, not yes"),
    ],
)
def test_resume_with_another_setting_is_refused(
    options: tuple[object, ...], message: str, folder: Path, out: Path
) -> None:
    before = (out / "last.ckpt").read_bytes()
    one_line_error(
        run_pretrain(folder, out, "--resume", "--epochs", 2, *options), message
    )
    assert (out / "last.ckpt").read_bytes() == before


def test_resume_needs_something_whole_to_resume(
    folder: Path, out: Path, tmp_path: Path
) -> None:
    none = tmp_path / "none"
    one_line_error(
        run_pretrain(folder, none, "--resume"), "has no last.ckpt to resume from"
    )
    assert not none.exists()
    (out / "settings.json").write_text("{")
    one_line_error(run_pretrain(folder, out, "--resume"), "settings.json: damaged")
    (out / "settings.json").write_text("[1]")
    one_line_error(run_pretrain(folder, out, "--resume"), "settings.json: damaged")
    for name, value in (("lr", "abc"), ("lr", [1]), ("batch_size", None), ("align", 1)):
        (out / "settings.json").write_text(json.dumps({name: value}))
        one_line_error(
            run_pretrain(folder, out, "--resume"), f"damaged ({name} is {value!r})"
        )
    (out / "settings.json").unlink()
    one_line_error(run_pretrain(folder, out, "--resume"), "settings.json: No such file")
    (out / "last.ckpt").write_bytes((out / "last.ckpt").read_bytes()[:9999])
    one_line_error(
        run_pretrain(folder, out, "--resume"),
        "not a checkpoint, or one that is cut short",
    )


def test_a_full_disk_keeps_the_last_checkpoint(
    folder: Path, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full_disk(file: int) -> None:
        if "last.ckpt" in os.readlink(f"/proc/self/fd/{file}"):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    module = "contrawarp_edge.core.files.os"
    monkeypatch.setattr(module, SimpleNamespace(fsync=full_disk))
    result = run_pretrain(folder, out, "--resume", "--epochs", 2)
    assert result.exit_code == 2, result.output
    *_, last = result.stderr.splitlines()
    problem = "cannot be written: No space left on device"
    assert last == f"Error: {out / 'last.ckpt'}: {problem}"
    assert read(out)["global_step"] == 3


@pytest.fixture
def sigint() -> Iterator[None]:
    """Undoes that Lightning ignores Ctrl-C after the first one."""
    before = signal.getsignal(signal.SIGINT)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("sigint")
def test_ctrl_c_keeps_the_last_whole_epoch(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    step = ContraWarp.training_step

    def interrupted(self: ContraWarp, batch: Any, index: int) -> torch.Tensor:
        if self.global_step == 4:
            raise KeyboardInterrupt
        return step(self, batch, index)

    with monkeypatch.context() as patch:
        patch.setattr(ContraWarp, "training_step", interrupted)
        result = run_pretrain(folder, tmp_path / "run", "--epochs", 2)
    assert result.exit_code == 130, result.output
    assert result.stderr.splitlines()[-1] == "Interrupted"
    assert result.stdout == ""
    assert read(tmp_path / "run")["global_step"] == 3
    result = run_pretrain(folder, tmp_path / "run", "--epochs", 2, "--resume")
    assert result.exit_code == 0, result.output
    assert read(tmp_path / "run")["global_step"] == 6


@pytest.mark.slow
def test_resume_after_being_killed(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    program = "from lightly_contrawarp.cli import main; main()"
    process = subprocess.Popen(
        [sys.executable, "-c", program, *pretrain_words(folder, out, "--epochs", 1000)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    try:
        deadline = time.monotonic() + 600
        while not (out / "last.ckpt").exists():
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < deadline
            time.sleep(0.02)
    finally:
        process.kill()
        process.communicate()
    assert process.returncode == -signal.SIGKILL
    done = read(out)["global_step"]
    assert done % 3 == 0
    epochs = done // 3 + 2
    result = run_pretrain(folder, out, "--epochs", epochs, "--resume")
    assert result.exit_code == 0, result.output
    assert read(out)["global_step"] == 3 * epochs
    assert not list(out.glob(".*"))
