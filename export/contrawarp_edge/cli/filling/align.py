"""``contrawarp-edge align``."""

from __future__ import annotations

from pathlib import Path

import click

from contrawarp_edge.align.folder import AlignOutcome, align_into
from contrawarp_edge.align.rules import Rules
from contrawarp_edge.cli.options import (
    FILE,
    SECONDS,
    list_options,
    nothing_found,
    say_passed_over,
    say_skipped,
)
from contrawarp_edge.core.command import EXIT_SKIPPED, CleanCommand, FiniteRange
from contrawarp_edge.core.progress import Progress
from contrawarp_edge.core.text import printable
from contrawarp_edge.inputs.images import CONTACT_SHEET, SKIPPED_TSV
from contrawarp_edge.inputs.sources import Sources

_DEFAULT = Rules()


@click.command("align", cls=CleanCommand)
@click.argument("sources", type=FILE, nargs=-1, metavar="[SRC]...")
@click.argument("folder", type=FILE, metavar="DST")
@list_options
@click.option("--every", type=SECONDS, metavar="SECONDS", help="Take frames of videos.")
@click.option(
    "--size",
    type=click.IntRange(16, 1024),
    default=_DEFAULT.size,
    show_default=True,
    help="Height and width of the crops in pixels.",
)
@click.option(
    "--all", "all_faces", is_flag=True, help="Every face of a photo, not the largest."
)
@click.option(
    "--min-eyes",
    type=FiniteRange(0),
    default=_DEFAULT.min_eyes,
    show_default=True,
    help="Least distance of the eyes in pixels of the photo.",
)
@click.pass_context
def align_command(
    ctx: click.Context,
    sources: tuple[Path, ...],
    folder: Path,
    lists: tuple[Path, ...],
    null: bool,
    every: float | None,
    size: int,
    all_faces: bool,
    min_eyes: float,
) -> None:
    """Cut the faces of SRC, files, folders or quoted patterns, out into DST.

    Each face is turned, scaled and moved as the crop contract says. What was done
    before and has not changed is passed over, and crops of photos that are gone are
    erased. Exit code 3 means that some photos or
    faces were skipped.
    """
    photos = Sources(sources, lists, null=null, every=every)
    total = photos.count()
    if total == 0:
        raise nothing_found(photos)
    rules = Rules(size=size, all_faces=all_faces, min_eyes=min_eyes)
    report = AlignReporter(total)
    outcome = align_into(
        folder,
        photos,
        rules,
        report,
        every=every,
        roots=[path for path in sources if path.is_dir()],
    )
    report.clear()
    if not outcome.photos:
        raise nothing_found(photos)
    gone = f", {outcome.gone} gone" if outcome.gone else ""
    click.echo(
        f"{printable(folder)}: {outcome.faces} faces, {outcome.unchanged} images "
        f"unchanged, {len(outcome.skipped)} skipped{gone}; see {CONTACT_SHEET}"
    )
    say_passed_over(photos)
    if outcome.skipped:
        click.echo(f"skipped: see {printable(folder / SKIPPED_TSV)}", err=True)
        ctx.exit(EXIT_SKIPPED)


class AlignReporter:
    """Shows progress and names what is skipped while faces are aligned.

    Args:
        total: How many photos and frames there are; None if unknown.
    """

    def __init__(self, total: int | None) -> None:
        self._progress = Progress(total)
        self._listed = 0

    def __call__(self, outcome: AlignOutcome) -> None:
        """Shows what was added to an outcome since the last call."""
        new = outcome.skipped[self._listed :]
        if new:
            self._progress.clear()
        for path, reason in new:
            say_skipped(path, reason)
        self._listed = len(outcome.skipped)
        self._progress.update(outcome.photos)

    def clear(self) -> None:
        """Removes the progress line from a terminal."""
        self._progress.clear()
