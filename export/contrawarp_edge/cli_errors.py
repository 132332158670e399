"""Commands that end with one clear line instead of a traceback."""

from __future__ import annotations

from typing import Any

import click

from contrawarp_edge.errors import InputError

EXIT_INPUT = 2
"""Exit code when something that was given cannot be used."""

EXIT_SKIPPED = 3
"""Exit code when the work was done, except for inputs that were skipped and listed."""

EXIT_INTERRUPTED = 130
"""Exit code after Ctrl-C."""


def printable(text: object) -> str:
    """Text that fits on one line of any terminal: control characters become ``?``."""
    return "".join(c if c.isprintable() else "?" for c in str(text))


class CleanCommand(click.Command):
    """A command that reports ``InputError`` and file errors in one line."""

    def invoke(self, ctx: click.Context) -> Any:
        """Runs a command; what it raises becomes a message and an exit code."""
        try:
            return super().invoke(ctx)
        except InputError as error:
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
