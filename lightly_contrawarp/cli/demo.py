"""``contrawarp demo``."""

from __future__ import annotations

from pathlib import Path

import click


@click.command("demo")
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("demo"),
    show_default=True,
    help="Folder for everything that the demo makes.",
)
@click.option("--faces", type=click.IntRange(70), help="Faces to train on.")
@click.option("--test-faces", type=click.IntRange(70), help="Faces to judge on.")
@click.option("--epochs", type=click.IntRange(1))
def demo_command(out: Path, **changes: int | None) -> None:
    """Run the whole line on drawn faces: train, evaluate, export, search, report.

    What is done already is not done again.
    """
    from lightly_contrawarp.demo.report import write_report
    from lightly_contrawarp.demo.steps import DemoSettings, run_steps

    given = {key: value for key, value in changes.items() if value is not None}
    settings = DemoSettings(**given)
    files = run_steps(out, settings, click.echo)
    click.echo(write_report(files, settings))
    click.echo(f"Open {files.report} in a browser.")
