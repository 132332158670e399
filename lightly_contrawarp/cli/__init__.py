"""The command ``contrawarp``. Heavy imports wait until a command needs them."""

from __future__ import annotations

import click

from contrawarp_edge.core.command import CleanGroup
from lightly_contrawarp.cli.demo import demo_command
from lightly_contrawarp.cli.evaluate import evaluate_command
from lightly_contrawarp.cli.pretrain import pretrain_command
from lightly_contrawarp.cli.preview import preview_command


@click.group(cls=CleanGroup)
@click.version_option(package_name="lightly-contrawarp")
def main() -> None:
    """Learn an embedding of facial expression from unlabelled faces."""


main.add_command(pretrain_command)
main.add_command(evaluate_command)
main.add_command(preview_command)
main.add_command(demo_command)
