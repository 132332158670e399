"""Commands that end with one clear line instead of a traceback."""

from __future__ import annotations

import csv
import io
import math
import sys
from collections.abc import Iterable, Mapping, Sequence
from importlib import import_module
from typing import Any

import click

from contrawarp_edge.core.errors import ContrawarpError
from contrawarp_edge.core.text import printable

EXIT_INPUT = 2
"""Exit code when something that was given cannot be used."""

EXIT_SKIPPED = 3
"""Exit code when the work was done, except for inputs that were skipped and listed."""

EXIT_INTERRUPTED = 130
"""Exit code after Ctrl-C."""


def print_csv(rows: Iterable[Sequence[object]]) -> None:
    """Writes rows to standard output as CSV, in UTF-8 whatever the terminal takes."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(encoding="utf-8", errors="backslashreplace")
    csv.writer(sys.stdout, lineterminator="\n").writerows(rows)
    sys.stdout.flush()


class FiniteRange(click.FloatRange):
    """A ``click.FloatRange`` without ``nan`` and ``inf``, which compare as in range."""

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Reads a number."""
        number = float(super().convert(value, param, ctx))
        if not math.isfinite(number):
            self.fail(f"{value} is not a finite number", param, ctx)
        return number


class CleanCommand(click.Command):
    """A command that reports a ``ContrawarpError`` and file errors in one line."""

    def main(self, *args: Any, **kwargs: Any) -> Any:
        """Runs what was typed; letters that a terminal lacks are shown by number."""
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, io.TextIOWrapper) and stream.errors == "strict":
                stream.reconfigure(errors="backslashreplace")
        return super().main(*args, **kwargs)

    def invoke(self, ctx: click.Context) -> Any:
        """Runs a command; what it raises becomes a message and an exit code."""
        try:
            return super().invoke(ctx)
        except ContrawarpError as error:
            message = " ".join(str(error).split())
        except KeyboardInterrupt:
            click.echo("Interrupted", err=True)
            ctx.exit(EXIT_INTERRUPTED)
        except OSError as error:
            if isinstance(error, BrokenPipeError):  # is click's business
                raise
            name = "output" if error.filename is None else error.filename
            message = f"{name}: {error.strerror}"
        click.echo(f"Error: {printable(message)}", err=True)
        ctx.exit(EXIT_INPUT)


class CleanGroup(CleanCommand, click.Group):
    """A group whose commands report errors in one line."""


class LazyGroup(CleanGroup):
    """A group that imports a command when it is called, and not to list it.

    Args:
        lazy: By the name of a command, the module that holds it, as ``NAME_command``,
            and the first sentence of its help.
        args: Of ``click.Group``.
        kwargs: Of ``click.Group``.
    """

    def __init__(
        self, *args: Any, lazy: Mapping[str, tuple[str, str]], **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self._modules = {name: module for name, (module, _) in lazy.items()}
        for name, (_, text) in lazy.items():  # stand in for the commands in lists
            self.add_command(click.Command(name, help=text))

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """A command itself, which is imported for it; None if there is no such one."""
        if cmd_name not in self._modules:
            return None
        module = import_module(self._modules[cmd_name])
        command: click.Command = getattr(module, f"{cmd_name}_command")
        return command

    def format_commands(
        self, ctx: click.Context, formatter: click.HelpFormatter
    ) -> None:
        """Lists the commands with what was said of them here."""
        click.Group(commands=self.commands).format_commands(ctx, formatter)
