"""What several tests of commands share."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from click.testing import CliRunner, Result
from PIL import Image

from lightly_contrawarp.cli import main
from lightly_contrawarp.data.labelled import LabelledFolder

MakeSet = Callable[..., LabelledFolder]
"""Type of the fixture ``make_set``."""

OPTIONS = (
    *("--backbone", "small", "--input-size", 32, "--batch-size", 8),
    *("--num-negatives", 1, "--workers", 0, "--epochs", 1),
)


class Clock:
    """In place of the module ``time``: only sleeping lets time pass."""

    def __init__(self) -> None:
        self.now = 0.0

    def perf_counter(self) -> float:
        return self.now

    monotonic = perf_counter

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def pretrain_words(folder: Path, out: Path, *options: object) -> list[str]:
    return [str(w) for w in ("pretrain", folder, "--out", out, *OPTIONS, *options)]


def run_pretrain(folder: Path, out: Path, *options: object) -> Result:
    return CliRunner().invoke(main, pretrain_words(folder, out, *options))


def one_line_error(result: Result, message: str) -> None:
    assert result.exit_code == 2, result.output
    assert result.stdout == ""
    (line,) = result.stderr.splitlines()
    assert line.startswith("Error: ")
    assert message in line


def read(out: Path) -> dict[str, Any]:
    content = torch.load(out / "last.ckpt", weights_only=True)
    assert isinstance(content, dict)
    return content


def save_image(
    path: Path,
    colour: tuple[int, int, int] = (10, 20, 30),
    size: tuple[int, int] = (6, 4),
) -> Path:
    """Saves an image of one colour, and the folders above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, colour).save(path)
    return path


def write(path: Path, *lines: str) -> Path:
    """Writes lines of text, and the folders above the file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{line}\n" for line in lines))
    return path
