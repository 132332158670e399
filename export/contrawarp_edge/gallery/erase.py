"""Erasing what was deleted from a gallery: out of its file, its log, and beside it."""

from __future__ import annotations

import glob
import sqlite3
from contextlib import closing
from pathlib import Path

from contrawarp_edge.core.errors import BusyError
from contrawarp_edge.core.files import storage_errors
from contrawarp_edge.core.sqlite.transactions import sqlite_errors, transaction
from contrawarp_edge.gallery.ann.erase import erase_deleted
from contrawarp_edge.gallery.embeddings import snapshot
from contrawarp_edge.gallery.store import gallery_file, meta_table, statements
from contrawarp_edge.gallery.uploads import Uploads

# SQLite writes a gallery anew by way of a copy. One that is larger than this is kept in
# a temporary file, so that small devices do not run out of memory.
_MOST_IN_MEMORY = 256 << 20
_KEY = "erasing"


def pending(connection: sqlite3.Connection) -> str | None:
    """What was deleted and is still to be erased everywhere, None if nothing.

    Returns:
        Something that is different after each deletion.
    """
    return meta_table.entries(connection).get(_KEY)


def set_pending(connection: sqlite3.Connection, revision: int) -> None:
    """Remembers that something was deleted, until it is erased.

    Args:
        connection: Inside the transaction that deletes.
        revision: Of that transaction.
    """
    meta_table.set_entries(connection, {_KEY: str(revision)})


def finish(connection: sqlite3.Connection, gallery: Path, dim: int) -> None:
    """Erases what was deleted: when this returns, no file holds it any more.

    A gallery in which something was deleted says so until then, so that a run that was
    killed is made good when the gallery is next opened for writing.

    Args:
        connection: To the gallery, in autocommit mode.
        gallery: The gallery file.
        dim: Length of its embeddings.

    Raises:
        StorageError: If it is not complete, and why.
    """
    failure = (
        f"{gallery}: images were deleted, but are not erased from all files yet, which "
        "is tried again when it is next opened for writing"
    )
    with storage_errors(failure), sqlite_errors(gallery, failure):
        if (mark := pending(connection)) is None:
            return
        _sweep(connection, gallery, drafts=False)
        _empty_log(connection, failure)
        # Whoever read the gallery as it was has ended now, and makes no copy any more.
        _remove_snapshots(gallery)
        erase_deleted(gallery, connection, dim)
        # secure_delete overwrites rows, but not what SQLite leaves in the unused parts
        # of pages when it moves rows from one page to another.
        large = gallery.stat().st_size > _MOST_IN_MEMORY
        connection.execute(f"PRAGMA temp_store = {'FILE' if large else 'MEMORY'}")
        connection.execute("VACUUM")
        connection.execute("PRAGMA temp_store = MEMORY")
        _empty_log(connection, failure)
        _set_erased(connection, mark)


def _set_erased(connection: sqlite3.Connection, mark: str) -> None:
    with transaction(connection, "IMMEDIATE"):
        # Another process may have deleted more meanwhile, and that is not erased.
        meta_table.remove_entry(connection, _KEY, mark)


def remove_orphans(gallery: Path) -> int:
    """Removes pictures that were added but are no image, as a kill leaves them.

    Nobody may be adding one meanwhile.

    Returns:
        How many there were.

    Raises:
        StorageError: If one cannot be removed.
    """
    connection, _ = gallery_file.connect(gallery, readonly=False)
    failure = f"{gallery}: pictures that are no image of it cannot be removed"
    with closing(connection), storage_errors(failure), sqlite_errors(gallery):
        return _sweep(connection, gallery, drafts=True)


def _sweep(connection: sqlite3.Connection, gallery: Path, *, drafts: bool) -> int:
    with transaction(connection, "IMMEDIATE"):
        paths = (path for _, path in statements.stored_paths(connection))
        return Uploads(gallery).sweep(paths, drafts=drafts)


def _remove_snapshots(gallery: Path) -> None:
    path = snapshot.snapshot_path(gallery)
    for file in (path, *path.parent.glob(f".{glob.escape(path.name)}.*")):
        file.unlink(missing_ok=True)


def _empty_log(connection: sqlite3.Connection, failure: str) -> None:
    (is_busy, *_) = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    if is_busy:
        raise BusyError(f"{failure}: another process reads the gallery")
