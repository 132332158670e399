"""``python -m benchmarks.quality``: train, judge, and write RESULTS.md."""

from __future__ import annotations

from pathlib import Path

import click

from benchmarks.quality.plan import PARTS, SCALES, Plan, Sources
from contrawarp_edge.core.command import CleanCommand, FiniteRange
from contrawarp_edge.core.errors import InputError

_FOLDER = click.Path(path_type=Path, exists=True, file_okay=False)
_FILE = click.Path(path_type=Path, exists=True, dir_okay=False)
_MINUTES = FiniteRange(0, min_open=True)


@click.command(cls=CleanCommand, context_settings={"show_default": True})
@click.option(
    "--data",
    type=click.Path(path_type=Path),
    required=True,
    help="FER2013 as folders: train/CLASS/*.jpg and validation/CLASS/*.jpg.",
)
@click.option("--lfw", type=_FOLDER, help="Faces of people: CLASS/idNNN_*.jpg.")
@click.option(
    "--pairs", type=_FOLDER, help="Each person happy and neutral: CLASS/idNNN_*.jpg."
)
@click.option(
    "--landmarker", type=_FILE, help="MediaPipe's face_landmarker.task, as a baseline."
)
@click.option("--xception", type=_FILE, help="Mini-Xception as .tflite, as a baseline.")
@click.option("--scale", default="cpu", type=click.Choice(sorted(SCALES)))
@click.option("--smoke", is_flag=True, help="Short for --scale smoke.")
@click.option(
    "--minutes",
    type=_MINUTES,
    help="Train each run for so long instead of for the scale's epochs: processor "
    "time, on a GPU wall-clock time, without what measuring takes.",
)
@click.option(
    "--total-minutes",
    type=_MINUTES,
    help="End the command after so long: no run begins that would be done later. "
    "Needs --minutes.",
)
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
    type=click.Choice(["main", "controls", "ablation", "baselines"]),
    help="Only these parts; repeat it for several.",
)
@click.option(
    "--jobs",
    type=click.IntRange(0),
    help="Runs at a time, one core each; 0 trains them one by one in this process.  "
    "[default: 0 with a GPU, else 2]",
)
@click.option("--results-only", is_flag=True, help="Only write the results again.")
def main(
    data: Path,
    lfw: Path | None,
    pairs: Path | None,
    landmarker: Path | None,
    xception: Path | None,
    scale: str,
    smoke: bool,
    minutes: float | None,
    total_minutes: float | None,
    out: Path,
    parts: tuple[str, ...],
    jobs: int | None,
    results_only: bool,
) -> None:
    """Compare ContraWarping with baselines and controls on FER2013.

    Every run can be stopped at any time and goes on when the command is repeated.
    Runs of a scale and a time have a folder of their own.
    """
    if total_minutes is not None and minutes is None:
        raise InputError("--total-minutes needs --minutes, the time of each run")
    import torch

    from benchmarks.quality.baselines import judge_baselines
    from benchmarks.quality.report.results import write_results
    from benchmarks.quality.runs import do_runs

    chosen = SCALES["smoke" if smoke else scale]
    name = chosen.name if minutes is None else f"{chosen.name}-{minutes:g}min"
    if jobs is None:
        jobs = 0 if torch.cuda.is_available() else 2
    plan = Plan(chosen, Sources(data, lfw, pairs), out / name, minutes, jobs)
    if not results_only:
        wanted = [part for part in PARTS if not parts or part in parts]
        do_runs(plan, wanted, total_minutes)
        if not parts or "baselines" in parts:
            judge_baselines(plan, {"landmarker": landmarker, "xception": xception})
    # A smoke run says nothing about quality, so it leaves the results alone.
    home = Path(__file__).parent
    target = {"smoke": plan.out, "cpu": home}.get(chosen.name, home / chosen.name)
    target.mkdir(exist_ok=True)
    click.echo(write_results(plan, target))


if __name__ == "__main__":
    main()
