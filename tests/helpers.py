"""What several tests of commands share."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from click.testing import CliRunner, Result

from lightly_contrawarp.cli import main
from lightly_contrawarp.data.labelled import LabelledFolder

MakeSet = Callable[..., LabelledFolder]
"""Type of the fixture ``make_set``."""

OPTIONS = (
    *("--backbone", "shufflenet_v2_x0_5", "--input-size", 32, "--batch-size", 8),
    *("--num-negatives", 1, "--workers", 0, "--epochs", 1),
)


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
