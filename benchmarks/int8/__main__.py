"""``python -m benchmarks.int8``: train, quantise, measure, and write RESULTS.md."""

from __future__ import annotations

from pathlib import Path

import click

from benchmarks.int8.scale import FULL, SMOKE
from contrawarp_edge.core.command import CleanCommand
from contrawarp_edge.core.errors import InputError


@click.command(cls=CleanCommand, context_settings={"show_default": True})
@click.option(
    "--data",
    type=click.Path(path_type=Path),
    help="FER2013 as folders: train/CLASS/*.jpg and validation/CLASS/*.jpg.",
)
@click.option("--smoke", is_flag=True, help="Does everything run? Needs no data.")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default=Path("runs/int8"),
    help="Folder for checkpoints and models; what is trained is not trained again.",
)
@click.option("--results-only", is_flag=True, help="Only write the results again.")
def main(data: Path | None, smoke: bool, out: Path, results_only: bool) -> None:
    """Measure what 8-bit models lose and gain, after a short training on FER2013.

    A run that was stopped goes on when the command is repeated.
    """
    from benchmarks.int8.results import write_results
    from benchmarks.int8.runs import do_runs

    scale = SMOKE if smoke else FULL
    folder = out / scale.name
    if not results_only:
        if data is None and not smoke:
            raise InputError(
                "give --data FER2013, a folder with train/CLASS/*.jpg and "
                "validation/CLASS/*.jpg; only --smoke needs none"
            )
        do_runs(scale, data, folder)
    # A smoke run says nothing about 8 bits, so it leaves the results alone.
    click.echo(write_results(scale, folder, folder if smoke else Path(__file__).parent))


if __name__ == "__main__":
    main()
