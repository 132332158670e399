"""``python -m benchmarks.speed``: measure, and write RESULTS.md."""

from __future__ import annotations

from pathlib import Path

import click

from benchmarks.speed.parts import NAMES, measure_parts
from contrawarp_edge.core.command import CleanCommand
from contrawarp_edge.core.errors import InputError


@click.command(cls=CleanCommand, context_settings={"show_default": True})
@click.option(
    "--data",
    type=click.Path(path_type=Path),
    help="Folder of JPEG files for the part that reads files; drawn faces by default.",
)
@click.option("--only", default=",".join(NAMES), help="Parts to measure.")
@click.option("--smoke", is_flag=True, help="Does everything run? Half a minute.")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default=Path("runs/speed"),
    help="Folder for what was measured, a file for each part.",
)
@click.option("--results-only", is_flag=True, help="Only write the results again.")
def main(
    data: Path | None, only: str, smoke: bool, out: Path, results_only: bool
) -> None:
    """Measure how fast everything is, on the CPU and on a GPU if there is one.

    Parts that were measured before stay in the results until they are measured again.
    """
    from benchmarks.speed.results import write_results

    names = only.split(",")
    if unknown := set(names) - set(NAMES):
        raise InputError(
            f"--only {','.join(sorted(unknown))}: no such part; there are "
            f"{', '.join(NAMES)}"
        )
    folder = out / ("smoke" if smoke else "full")
    if not results_only:
        measure_parts(names, folder, smoke, data)
    # A smoke run says nothing about speed, so it leaves the results alone.
    click.echo(write_results(folder, folder if smoke else Path(__file__).parent))


if __name__ == "__main__":
    main()
