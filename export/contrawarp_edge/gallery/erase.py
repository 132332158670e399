"""Erasing what was deleted from a gallery: out of its file, its log, and beside it."""

from __future__ import annotations

import glob
import sqlite3
from contextlib import closing
from pathlib import Path

from contrawarp_edge.core.errors import StorageError
from contrawarp_edge.core.sqlite.transactions import sqlite_errors, transaction
from contrawarp_edge.gallery.ann.erase import erase_deleted
from contrawarp_edge.gallery.embeddings import snapshot
from contrawarp_edge.gallery.store import gallery_file, statements
from contrawarp_edge.gallery.uploads import Uploads

# SQLite writes a gallery anew by way of a copy. One that is larger than this is kept in
# a temporary file, so that small devices do not run out of memory.
_MOST_IN_MEMORY = 256 << 20


def is_erasing(connection: sqlite3.Connection) -> bool:
    """Whether something was deleted that is still to be erased everywhere."""
    query = "SELECT 1 FROM meta WHERE key = 'erasing'"
    return connection.execute(query).fetchone() is not None


def set_erasing(connection: sqlite3.Connection) -> None:
    """Remembers that something is to be erased, until ``set_erased``."""
    connection.execute("INSERT OR REPLACE INTO meta VALUES ('erasing', 'yes')")


def set_erased(connection: sqlite3.Connection) -> None:
    """Remembers that nothing is left to be erased."""
    connection.execute("DELETE FROM meta WHERE key = 'erasing'")


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
    try:
        _sweep(connection, gallery, drafts=False)
        _empty_log(connection)
        # Whoever read the gallery as it was has ended now, and makes no copy any more.
        _remove_snapshots(gallery)
        erase_deleted(gallery, connection, dim)
        # secure_delete overwrites rows, but not what SQLite leaves in the unused parts
        # of pages when it moves rows from one page to another.
        large = gallery.stat().st_size > _MOST_IN_MEMORY
        connection.execute(f"PRAGMA temp_store = {'FILE' if large else 'MEMORY'}")
        connection.execute("VACUUM")
        connection.execute("PRAGMA temp_store = MEMORY")
        _empty_log(connection)
        with transaction(connection, "IMMEDIATE"):
            set_erased(connection)
    except (sqlite3.Error, OSError) as error:
        reason = getattr(error, "strerror", None) or error
        raise StorageError(
            f"{gallery}: images were deleted, but are not erased from all files yet: "
            f"{reason}; that is tried again when it is next opened for writing"
        ) from error


def remove_orphans(gallery: Path) -> int:
    """Removes pictures that were added but are no image, as a kill leaves them.

    Nobody may be adding one meanwhile.

    Returns:
        How many there were.

    Raises:
        StorageError: If one cannot be removed.
    """
    connection, _ = gallery_file.connect(gallery, readonly=False)
    with closing(connection), sqlite_errors(gallery):
        try:
            return _sweep(connection, gallery, drafts=True)
        except OSError as error:
            raise StorageError(f"{error.filename}: {error.strerror}") from error


def _sweep(connection: sqlite3.Connection, gallery: Path, *, drafts: bool) -> int:
    with transaction(connection, "IMMEDIATE"):
        paths = (path for _, path in statements.stored_paths(connection))
        return Uploads(gallery).sweep(paths, drafts=drafts)


def _remove_snapshots(gallery: Path) -> None:
    drafts = gallery.absolute().parent.glob(f".{glob.escape(gallery.name)}-vectors.*")
    for path in (snapshot.snapshot_path(gallery), *drafts):
        path.unlink(missing_ok=True)


def _empty_log(connection: sqlite3.Connection) -> None:
    (is_busy, *_) = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    if is_busy:
        raise sqlite3.OperationalError("another process reads the gallery")
