"""A progress line with rate and time left."""

from __future__ import annotations

import sys
import time

_INTERVAL_TERMINAL = 0.2
_INTERVAL_LOG = 5.0


def describe(done: int, total: int | None, seconds: float) -> str:
    """One line such as ``1,200/5,000 images, 48.0/s, 1:19 left``.

    Without a total: ``1,200 images, 48.0/s``.
    """
    text = f"{done:,} images" if total is None else f"{done:,}/{total:,} images"
    if not done or seconds <= 0:
        return text
    rate = done / seconds
    if total is None:
        return f"{text}, {rate:.1f}/s"
    minutes, rest = divmod(round(max(0, total - done) / rate), 60)
    hours, minutes = divmod(minutes, 60)
    left = f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
    return f"{text}, {rate:.1f}/s, {left} left"


class Progress:
    """Writes progress to stderr: in place on a terminal, else a line now and then.

    Args:
        total: How many images there are; None if unknown.
    """

    def __init__(self, total: int | None) -> None:
        self._total = total
        self._terminal = sys.stderr.isatty()
        self._start = self._shown = time.monotonic()

    def update(self, done: int) -> None:
        """Shows that ``done`` images are done, if the last time was long enough ago."""
        now = time.monotonic()
        pause = _INTERVAL_TERMINAL if self._terminal else _INTERVAL_LOG
        if now - self._shown < pause:
            return
        self._shown = now
        line = describe(done, self._total, now - self._start)
        sys.stderr.write(f"\r\x1b[K{line}" if self._terminal else f"{line}\n")
        sys.stderr.flush()

    def clear(self) -> None:
        """Removes the line from a terminal, so that other messages can follow."""
        if self._terminal:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()
