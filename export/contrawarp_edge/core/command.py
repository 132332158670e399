"""Commands that end with one clear line instead of a traceback."""

from __future__ import annotations

import csv
import io
import sys
from collections.abc import Iterable, Sequence
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
