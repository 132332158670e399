"""What the tests of contrawarp-export share."""

from pathlib import Path

import torch
from click.testing import CliRunner, Result

from lightly_contrawarp import ContraWarp
from lightly_contrawarp.cli.export import main


def save_checkpoint(model: ContraWarp, path: Path) -> Path:
    content = {"state_dict": model.state_dict()}
    model.on_save_checkpoint(content)
    torch.save(content, path)
    return path


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])
