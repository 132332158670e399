"""The command ``contrawarp``, one module for each of its commands."""

from __future__ import annotations

import click

from contrawarp_edge.core.command import LazyGroup

# `contrawarp-export` is a command of its own: `cli/export.py`.
_COMMANDS = {
    "demo": "Run the whole line on drawn faces: train, evaluate, export, search, "
    "report.",
    "evaluate": "Score the features of each MODEL on labelled images.",
    "finetune": "Train the encoder of CHECKPOINT further, on labels.",
    "pretrain": "Train an encoder on the images below FOLDER, without labels.",
    "preview": "Draw what an encoder will see: views and warps of faces in FOLDER.",
}


@click.group(
    cls=LazyGroup,
    lazy={name: (f"{__name__}.{name}", text) for name, text in _COMMANDS.items()},
)
@click.version_option(package_name="lightly-contrawarp")
def main() -> None:
    """Learn an embedding of facial expression from unlabelled faces."""
