"""``python -m benchmarks.quality``: train, judge, and write RESULTS.md."""

from __future__ import annotations

from pathlib import Path

import click

from benchmarks.quality.runs import PARTS, do_runs
from benchmarks.quality.scales import SCALES
from contrawarp_edge.core.command import CleanCommand


@click.command(cls=CleanCommand, context_settings={"show_default": True})
@click.option(
    "--data",
    type=click.Path(path_type=Path),
    required=True,
    help="FER2013 as folders: train/CLASS/*.jpg and validation/CLASS/*.jpg.",
)
@click.option("--scale", default="cpu", type=click.Choice(sorted(SCALES)))
@click.option("--smoke", is_flag=True, help="Short for --scale smoke.")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default=Path("runs/quality"),
    help="Folder for what runs leave; finished runs in it are not done again.",
)
@click.option(
    "--part",
    "parts",
    multiple=True,
    type=click.Choice(PARTS),
    help="Only these parts; repeat it for several.",
)
@click.option(
    "--jobs",
    default=2,
    type=click.IntRange(0),
    help="Runs at a time, one core each; 0 for a GPU.",
)
@click.option("--results-only", is_flag=True, help="Only write the results again.")
def main(
    data: Path,
    scale: str,
    smoke: bool,
    out: Path,
    parts: tuple[str, ...],
    jobs: int,
    results_only: bool,
) -> None:
    """Compare ContraWarping with baselines and controls on FER2013.

    Every run can be stopped at any time and goes on when the command is repeated.
    """
    from benchmarks.quality.results import write_results

    chosen = SCALES["smoke" if smoke else scale]
    folder = out / chosen.name
    if not results_only:
        do_runs(chosen, data, folder, list(parts or PARTS), jobs)
    # A smoke run says nothing about quality, so it leaves the results alone.
    target = folder if chosen.name == "smoke" else Path(__file__).parent
    click.echo(write_results(chosen, folder, target))


if __name__ == "__main__":
    main()
