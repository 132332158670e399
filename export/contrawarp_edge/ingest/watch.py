"""Keeping a gallery in step with folders by looking at them again and again."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from contrawarp_edge.core.errors import InputError, MovedError
from contrawarp_edge.core.sqlite.connections import Place, place_of
from contrawarp_edge.gallery.gallery import Gallery
from contrawarp_edge.ingest.embed import Outcome, embed_into
from contrawarp_edge.ingest.metadata_file import Describe
from contrawarp_edge.ingest.prune import Pruned, prune
from contrawarp_edge.inputs.sources import Sources
from contrawarp_edge.model.embedder import Embedder

_Stamp = tuple[int, int]

# So many polls are between two tries to read a file at most, and so many times what is
# gone may wait for files that still appear.
_MOST_POLLS = 256
_MOST_OWED = 10


@dataclass
class _Wait:
    """Until a file that could not be read is tried again."""

    polls: int
    left: int


def _say_nothing(outcome: Outcome) -> None:
    pass


@dataclass
class Watcher:
    """Looks at folders and brings a gallery up to date with what changed.

    Polling sees changes on every file system, network shares too, where notices of
    the operating system do not arrive.

    Attributes:
        gallery: The gallery file.
        embedder: The model.
        sources: The folders to watch.
        describe: Metadata of a path.
        reporter: Called with the number of files that are about to be embedded; what it
            returns is called after each batch.
        align: Whether faces are cut out first; if None, as in the gallery.
        others: How many files the last look passed over, by kind.
    """

    gallery: Path
    embedder: Embedder
    sources: Sources
    describe: Describe = lambda path: {}
    reporter: Callable[[int], Callable[[Outcome], None]] = lambda total: _say_nothing
    align: bool | None = None
    others: Counter[str] = field(default_factory=Counter)
    _seen: dict[Path, _Stamp] = field(default_factory=dict)
    _done: dict[Path, _Stamp] = field(default_factory=dict)
    _place: Place | None = None
    _waits: dict[Path, _Wait] = field(default_factory=dict)
    _owed: int = 1
    _has_doubts: bool = False

    def poll(self) -> tuple[Outcome, Pruned]:
        """Looks once: embeds what is new or changed, forgets what is gone.

        A file is embedded once its size and time have been the same in two polls, so
        that none is read while it is written. One that could not be read is tried
        again, after ever more polls. What is gone is forgotten once no more files
        appear: what was moved has to be known at its new place by then.

        Returns:
            What became of the files that were embedded, and of the images whose files
            were looked for.

        Raises:
            InputError: If the gallery cannot be used.
            MovedError: If it is not the one of the poll before any more.
        """
        if self._place is not None and not self._place.is_current():
            raise MovedError(
                f"{self.gallery}: was moved, removed or replaced while it was watched "
                "for; start again with the gallery that is meant"
            )
        now = dict(self._stamps())
        self.others = Counter(self.sources.others)
        stable = [path for path in now if self._is_due(path, now[path])]
        has_new = not now.keys() <= self._seen.keys()
        has_vanished = not self._seen.keys() <= now.keys()
        if self._owed or has_vanished or (has_new and self._has_doubts):
            self._owed += 1
        outcome, pruned = Outcome(), Pruned()
        if stable:
            outcome = embed_into(
                self.gallery,
                self.embedder,
                stable,
                self.reporter(len(stable)),
                every=self.sources.every,
                describe=self.describe,
                align=self.align,
            )
        self._done.update((path, now[path]) for path in stable)
        self._wait(outcome.may_pass)
        if self._owed and (not has_new or self._owed > _MOST_OWED):
            pruned = self._prune()
            self._owed, self._has_doubts = 0, bool(pruned.unsure)
        self._done = {path: stamp for path, stamp in self._done.items() if path in now}
        self._waits = {path: wait for path, wait in self._waits.items() if path in now}
        self._seen = now  # only now, so that after an error all is tried again
        if self._place is None and self.gallery.exists():
            self._place = place_of(self.gallery, is_immutable=False)
        return outcome, pruned

    def _is_due(self, path: Path, stamp: _Stamp) -> bool:
        if self._seen.get(path) != stamp:
            self._waits.pop(path, None)
            return False
        if (wait := self._waits.get(path)) is not None:
            wait.left -= 1
            return wait.left <= 0
        return self._done.get(path) != stamp

    def _wait(self, unread: Sequence[Path]) -> None:
        """Sets when to try again what could not be read."""
        over = {path: wait for path, wait in self._waits.items() if wait.left <= 0}
        for path in over:
            del self._waits[path]
        for path in unread:
            polls = min(2 * over[path].polls, _MOST_POLLS) if path in over else 1
            self._waits[path] = _Wait(polls, polls)

    def run(
        self,
        interval: float,
        on_poll: Callable[[Outcome, Pruned], None],
        on_problem: Callable[[InputError], None],
    ) -> None:
        """Polls until ``KeyboardInterrupt``.

        Args:
            interval: Seconds between two polls.
            on_poll: Called after each poll with its result.
            on_problem: Called instead when the gallery could not be used; what is left
                to do is tried again.

        Raises:
            InputError: If it cannot be used the first time.
            MovedError: If another gallery, or none, has taken its place.
        """
        on_poll(*self.poll())
        while True:
            time.sleep(interval)
            try:
                on_poll(*self.poll())
            except MovedError:
                raise
            except InputError as error:
                on_problem(error)

    def _stamps(self) -> Iterator[tuple[Path, _Stamp]]:
        for path in self._files(self.sources.paths):
            try:
                facts = os.stat(path)
            except OSError:  # gone since it was listed, or a dangling link
                continue
            yield path, (facts.st_mtime_ns, facts.st_size)

    def _files(self, folders: Sequence[Path]) -> Iterator[Path]:
        there = [folder for folder in folders if folder.is_dir()]
        if there:
            yield from replace(self.sources, paths=there)

    def _prune(self) -> Pruned:
        # An empty folder is more often a disk that is not mounted than an emptied one.
        folders = [
            folder
            for folder in self.sources.paths
            if next(self._files([folder]), None) is not None
        ]
        if not folders or not self.gallery.exists():
            return Pruned()
        with Gallery.open(self.gallery) as gallery:
            return prune(gallery, folders, even_all=True)
