from __future__ import annotations

import subprocess
import sys

import click
import pytest
from click.testing import CliRunner

import contrawarp_edge
from contrawarp_edge.cli import main

HELP = """
import sys
from contrawarp_edge.cli import main
main(["--help"], standalone_mode=False)
import contrawarp_edge
slow = {"numpy", "onnxruntime", "PIL", "sqlite3"} & set(sys.modules)
assert not slow, slow
"""

NAMES = sorted(main.commands)


def command(name: str) -> click.Command:
    found = main.get_command(click.Context(main), name)
    assert found is not None
    return found


def test_help_is_quick() -> None:
    done = subprocess.run([sys.executable, "-c", HELP], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "Commands:" in done.stdout


@pytest.mark.parametrize("name", NAMES)
def test_lists_say_what_commands_say(name: str) -> None:
    listed = main.commands[name].get_short_help_str(200)
    assert listed == command(name).get_short_help_str(200)
    assert command(name).name == name
    result = CliRunner().invoke(main, [name, "--help"])
    assert result.exit_code == 0
    assert listed in " ".join(result.output.split())


def test_all_commands_are_listed() -> None:
    lines = CliRunner().invoke(main, ["--help"]).output.partition("Commands:\n")[2]
    assert [line.split()[0] for line in lines.splitlines()] == NAMES


def test_unknown_command() -> None:
    result = CliRunner().invoke(main, ["serach"])
    assert result.exit_code == 2
    assert "No such command 'serach'" in result.stderr


def test_public_names() -> None:
    for name in contrawarp_edge.__all__:
        assert getattr(contrawarp_edge, name).__name__ == name
    assert set(contrawarp_edge.__all__) <= set(dir(contrawarp_edge))
    with pytest.raises(AttributeError, match="no attribute 'Nothing'"):
        contrawarp_edge.Nothing  # noqa: B018


@pytest.mark.parametrize(
    "arguments",
    [
        "search g --id 1 --min-score nan",
        "search g --id 1 --distinct nan",
        "dedupe g --min-score nan",
        "align a b --min-eyes nan",
        "align a b --every inf",
        "embed m a --gallery g --every inf",
        "serve g --max-upload-mb nan",
        "serve g --timeout nan",
        "watch m . --gallery g --interval nan",
        "watch m . --gallery g --interval inf",
        "web m g --out o --max-mb nan",
    ],
)
def test_numbers_that_are_none(arguments: str) -> None:
    *_, option, value = arguments.split()
    result = CliRunner().invoke(main, arguments.split())
    assert result.exit_code == 2
    assert result.stderr.splitlines()[-1] == (
        f"Error: Invalid value for '{option}': {value} is not a finite number"
    )
