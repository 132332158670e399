"""Commands that may fail, but never with a traceback."""

from __future__ import annotations

from click.testing import CliRunner, Result

from contrawarp_edge.cli import main

COMMANDS: list[list[object]] = [
    ["info"],
    ["search", "--id", 1],
    ["search", "--id", 1, "--where", "a=1"],
    ["list", "--where", "expression=happy"],
    ["dedupe"],
    ["cluster", "-k", 2],
    ["check"],
    ["prune", "--force"],
    ["index", "--lists", 1],
]


def run(*arguments: object) -> Result:
    """Runs a command, which may fail, but with one line instead of a traceback."""
    result = CliRunner().invoke(main, [str(argument) for argument in arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit), (
        arguments,
        repr(result.exception),
    )
    assert result.exit_code in (0, 2, 3), result.output
    assert "Traceback" not in result.output
    if result.exit_code == 2:
        line = result.stderr.splitlines()[-1]
        assert line.startswith("Error: "), result.stderr
    return result
