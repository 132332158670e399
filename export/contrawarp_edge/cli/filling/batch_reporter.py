"""Progress and skipped files of `embed` and `watch`."""

from __future__ import annotations

from contrawarp_edge.cli.options import say_skipped
from contrawarp_edge.core.progress import Progress
from contrawarp_edge.ingest.embed import Outcome


class BatchReporter:
    """Shows progress and names skipped files while images are embedded.

    Args:
        total: How many images there are; None if unknown.
    """

    def __init__(self, total: int | None) -> None:
        self._total = total
        self._progress = Progress(total)
        self._listed = 0

    def __call__(self, outcome: Outcome) -> None:
        """Shows what was added to an outcome since the last call."""
        if outcome.failed[self._listed :]:
            self._progress.clear()
        for path, reason in outcome.failed[self._listed :]:
            say_skipped(path, reason)
        self._listed = len(outcome.failed)
        self._progress.update(outcome.done)
        if self._total is not None and outcome.done >= self._total:
            self._progress.clear()

    def clear(self) -> None:
        """Removes the progress line from a terminal."""
        self._progress.clear()
