"""Reading all of a gallery, and naming what is damaged."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from contrawarp_edge.gallery.ann import index_file
from contrawarp_edge.gallery.embeddings import snapshot
from contrawarp_edge.gallery.store import gallery_file, row_checks

_MOST_LINES = 20
_STEP = 4096


@dataclass
class Findings:
    """What is wrong with a gallery.

    Attributes:
        images: Number of rows that were read.
        has_checksums: Whether they carry some; those of earlier versions do not.
        rows: Id, path and problem of each damaged row.
        file: What SQLite says of the file, a line each.
        caches: Files beside the gallery that no search can use.
    """

    images: int = 0
    has_checksums: bool = True
    rows: list[tuple[int, str, str]] = field(default_factory=list)
    file: list[str] = field(default_factory=list)
    caches: list[Path] = field(default_factory=list)

    @property
    def is_whole(self) -> bool:
        """Whether nothing is wrong."""
        return not (self.rows or self.file or self.caches)


def check_gallery(
    path: Path, on_progress: Callable[[int], None] = lambda images: None
) -> Findings:
    """Reads every row of a gallery and all of its caches, and changes nothing.

    Args:
        path: The gallery file.
        on_progress: Told how many images were read.

    Raises:
        InputError: If it cannot be opened as a gallery.
    """
    connection, meta = gallery_file.connect(path, readonly=True)
    found = Findings(has_checksums="checksum" in meta)
    dim = int(meta["dim"])
    parts: list[Callable[[], None]] = [
        lambda: _read_rows(connection, dim, found, on_progress),
        lambda: _ask_sqlite(connection, found),
        lambda: _read_caches(path, connection, dim, found),
    ]
    with closing(connection):
        for part in parts:
            try:
                part()
            except sqlite3.DatabaseError as error:
                if str(error) not in found.file:
                    found.file.append(str(error))
    return found


def _read_rows(
    connection: sqlite3.Connection,
    dim: int,
    found: Findings,
    on_progress: Callable[[int], None],
) -> None:
    last = 0
    for row in row_checks.each(connection, "ORDER BY id"):
        what = row_checks.problem(row)
        if what is None and row_checks.no_unit(row.embedding, dim):
            what = row_checks.NO_UNIT
        if what is None and row.id <= last:
            what = f"it comes after image {last}"
        last = row.id
        if what is not None:
            name = (row.path or b"").decode(errors="replace")
            found.rows.append((row.id, name, what))
        found.images += 1
        if found.images % _STEP == 0:
            on_progress(found.images)


def _ask_sqlite(connection: sqlite3.Connection, found: Findings) -> None:
    for (line,) in connection.execute(f"PRAGMA integrity_check({_MOST_LINES})"):
        if line != "ok":
            found.file += str(line).splitlines()


def _read_caches(
    path: Path, connection: sqlite3.Connection, dim: int, found: Findings
) -> None:
    if snapshot.is_unusable(path, connection, dim):
        found.caches.append(snapshot.snapshot_path(path))
    path_of_facts = index_file.facts_path(path)
    if path_of_facts.exists():
        facts = index_file.believed_facts(path, connection, dim)
        if facts is None or not index_file.is_whole(path, facts):
            found.caches.append(path_of_facts)
