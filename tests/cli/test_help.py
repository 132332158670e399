"""contrawarp --help: at once, and true to the commands."""

import subprocess
import sys

import click
from click.testing import CliRunner

from lightly_contrawarp.cli import _COMMANDS, main

HEAVY = ("torch", "torchvision", "pytorch_lightning", "lightly", "kornia", "sklearn")


def test_help_imports_nothing_heavy() -> None:
    program = f"""
import sys
from lightly_contrawarp.cli import main
for words in [], *([name] for name in {[*_COMMANDS]}):
    main([*words, "--help"], standalone_mode=False)
print([name for name in {HEAVY} if name in sys.modules])
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.count("Usage: ") == 1 + len(_COMMANDS)
    assert done.stdout.splitlines()[-1] == "[]"


def test_the_list_says_what_the_commands_say() -> None:
    context = click.Context(main)
    for name, text in _COMMANDS.items():
        command = main.get_command(context, name)
        assert command is not None
        assert command.get_short_help_str(1000).rstrip(".") == text.rstrip(".")
    listed = CliRunner().invoke(main, ["--help"]).output
    assert [
        line.split()[0] for line in listed.split("Commands:\n")[1].splitlines()
    ] == [*_COMMANDS]
